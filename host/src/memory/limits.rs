//! Memory that may still be used: what the machine has left, or the control group if that is tighter.

#[cfg(target_os = "linux")]
use std::path::Path;

/// Bytes that can be allocated before the machine or the control group (container, batch job) runs out.
pub fn available() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|t| kibibytes(&t, "MemAvailable:"));
        let group = std::fs::read_to_string("/proc/self/cgroup")
            .ok()
            .and_then(|text| control_group(&text, Path::new("/sys/fs/cgroup")));
        machine.into_iter().chain(group).min()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        Some(system.available_memory()).filter(|bytes| *bytes > 0)
    }
}

/// The value of a `Name:   123 kB` line, in bytes.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = rest.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// What the tightest group on the way to the root has left. Page cache that the kernel can drop does not count as used.
#[cfg(target_os = "linux")]
fn control_group(membership: &str, root: &Path) -> Option<u64> {
    let number = |path: &Path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let mut tightest = None;
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (base, limit, used) = match controllers {
            "" => (root.to_path_buf(), "memory.max", "memory.current"),
            "memory" => (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let folder = base.join(group);
            let (Some(limit), Some(used)) = (number(&folder.join(limit)), number(&folder.join(used))) else { continue };
            let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let droppable = stat.lines().find_map(|l| l.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok());
            let left = limit.saturating_sub(used.saturating_sub(droppable.unwrap_or(0)));
            tightest = Some(tightest.map_or(left, |t: u64| t.min(left)));
        }
    }
    tightest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_tightest_group_on_the_way_up_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = |path: &str, max: &str, current: &str, stat: &str| {
            let folder = root.path().join(path);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("memory.max"), max).unwrap();
            std::fs::write(folder.join("memory.current"), current).unwrap();
            std::fs::write(folder.join("memory.stat"), stat).unwrap();
        };
        group("a/b", "max\n", "5\n", "");
        group("a", "1000\n", "700\n", "anon 100\ninactive_file 300\n");
        assert_eq!(control_group("0::/a/b\n", root.path()), Some(600));
        assert_eq!(control_group("0::/elsewhere\n", root.path()), None);
        assert_eq!(control_group("nonsense", root.path()), None);
    }

    #[test]
    fn this_machine_has_memory_left() {
        assert!(available().is_some_and(|bytes| bytes > 0));
    }
}

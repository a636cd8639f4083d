//! How much memory this process uses and may use, with anonymous and file-mapped pages told apart.
//!
//! Mapped model files count as resident while the kernel keeps their pages, yet it drops them freely under pressure.
//! Only anonymous memory can make a machine run out, so both are reported and the limits speak of the anonymous part.

mod limits;
mod sampler;

pub use limits::available;
pub use sampler::{Peaks, Sampler};

/// Resident memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Heap, stacks and the like.
    pub anonymous: u64,
    /// Pages of mapped files, shared memory included.
    pub mapped: u64,
    /// Largest total since the process began.
    pub peak_resident: u64,
}

/// Resident memory now. Zeros where the system tells nothing.
pub fn usage() -> Usage {
    #[cfg(target_os = "linux")]
    if let Ok(text) = std::fs::read_to_string("/proc/self/status") {
        return parse_status(&text);
    }
    portable_usage()
}

fn parse_status(text: &str) -> Usage {
    let field = |name: &str| limits::kibibytes(text, name).unwrap_or(0);
    Usage {
        anonymous: field("RssAnon:"),
        mapped: field("RssFile:").saturating_add(field("RssShmem:")),
        peak_resident: field("VmHWM:"),
    }
}

/// Without the split everything counts as anonymous: an overstatement rather than a surprise.
fn portable_usage() -> Usage {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let Ok(pid) = sysinfo::get_current_pid() else { return Usage::default() };
    let mut system = System::new();
    let what = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
    let resident = system.process(pid).map_or(0, sysinfo::Process::memory);
    Usage { anonymous: resident, mapped: 0, peak_resident: resident }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_is_read_from_the_status_text() {
        let text = "Name:\tx\nVmHWM:\t  300 kB\nRssAnon:\t 100 kB\nRssFile:\t 50 kB\nRssShmem:\t 6 kB\n";
        let expected = Usage { anonymous: 100 << 10, mapped: 56 << 10, peak_resident: 300 << 10 };
        assert_eq!(parse_status(text), expected);
        assert_eq!(parse_status("garbage"), Usage::default());
        assert_eq!(parse_status("RssAnon:\t many kB"), Usage::default());
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage().anonymous > 0);
        assert!(portable_usage().anonymous > 0);
    }
}

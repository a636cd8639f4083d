//! Who could have put code into a plugin file: the permissions of the file and of every folder above it.
//!
//! A plugin is refused if somebody could change it who could not change this program anyway. Nobody is suspected but
//! root, the user who runs the program and the owner of the executable: on a cluster the software folder belongs to an
//! administrator who is neither root nor the user. For the same reason a group that may write the executable itself may
//! write plugins, as in a checkout under umask 002. A sticky folder such as /tmp cannot hold plugins, because others may
//! put files into it; it may lie further up, because nobody can rename or remove a folder of ours in it, and that folder
//! was looked at before. Access control lists are not looked at.
//!
//! Systems without Unix permissions (Windows) have no portable answer to the question: there every regular file passes,
//! and the protection is the access control of the search folders.

use std::path::Path;

#[cfg(unix)]
pub(super) use unix::check;

/// Says why a file, given without links, must not be loaded.
#[cfg(not(unix))]
pub(super) fn check(file: &Path) -> Result<(), String> {
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err("it is not a regular file".into()),
        Err(error) => Err(format!("it cannot be examined: {error}")),
    }
}

#[cfg(unix)]
mod unix {
    use super::Path;
    use std::os::unix::fs::MetadataExt;

    /// What the judgement needs to know of a file or folder.
    #[derive(Debug, Clone, Copy)]
    pub struct Facts {
        pub owner: u32,
        pub group: u32,
        pub mode: u32,
        pub is_file: bool,
    }

    /// Who may write this program, and therefore its plugins.
    #[derive(Debug, Clone)]
    pub struct Trusted {
        pub owners: Vec<u32>,
        pub groups: Vec<u32>,
    }

    const GROUP_WRITE: u32 = 0o020;
    const OTHER_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;

    /// Says why a file, given without links, must not be loaded.
    pub fn check(file: &Path) -> Result<(), String> {
        let look = |path: &Path| {
            let m = path.symlink_metadata().map_err(|e| format!("{} cannot be examined: {e}", path.display()))?;
            Ok(Facts { owner: m.uid(), group: m.gid(), mode: m.mode(), is_file: m.is_file() })
        };
        judge(file, &trusted(look), look)
    }

    fn trusted(look: impl Fn(&Path) -> Result<Facts, String>) -> Trusted {
        let mut trusted = Trusted { owners: vec![0, rustix::process::geteuid().as_raw()], groups: Vec::new() };
        let Ok(executable) = std::env::current_exe().and_then(|path| path.canonicalize()) else { return trusted };
        let places = [Some(executable.as_path()), executable.parent()];
        for facts in places.into_iter().flatten().filter_map(|place| look(place).ok()) {
            trusted.owners.push(facts.owner);
            if facts.mode & GROUP_WRITE != 0 {
                trusted.groups.push(facts.group);
            }
        }
        trusted
    }

    /// The judgement itself, over whatever `look` sees.
    pub fn judge(file: &Path, trusted: &Trusted, look: impl Fn(&Path) -> Result<Facts, String>) -> Result<(), String> {
        if !look(file)?.is_file {
            return Err(format!("{} is not a regular file", file.display()));
        }
        for place in file.ancestors() {
            let facts = look(place)?;
            let what = if place == file { "the file" } else { "the folder" };
            let shown = place.display();
            if !trusted.owners.contains(&facts.owner) {
                return Err(format!(
                    "{what} {shown} belongs to user {}, who is neither you nor root; `chown` it, or move the plugin",
                    facts.owner
                ));
            }
            // The entry of it that leads to the file belongs to somebody trusted, who alone may move it away.
            let only_above = place != file && Some(place) != file.parent();
            if only_above && facts.mode & STICKY != 0 {
                continue;
            }
            let group = facts.mode & GROUP_WRITE != 0 && !trusted.groups.contains(&facts.group);
            let others = facts.mode & OTHER_WRITE != 0;
            let Some((who, bits)) = (match (group, others) {
                (true, true) => Some(("its group and everybody else", "go-w")),
                (true, false) => Some(("its group", "g-w")),
                (false, true) => Some(("everybody", "o-w")),
                (false, false) => None,
            }) else {
                continue;
            };
            let cure = match facts.mode & STICKY {
                0 => format!("`chmod {bits} '{shown}'`"),
                _ => "a sticky folder is no safe place; move the plugin".to_owned(),
            };
            return Err(format!("{what} {shown} may be written by {who}: {cure}"));
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::collections::HashMap;

        const FILE: &str = "/opt/tool/lib/libllmq_x.so";

        fn judged(changes: &[(&str, u32, u32, u32)]) -> Result<(), String> {
            let mut facts: HashMap<&str, Facts> = HashMap::new();
            for place in ["/", "/opt", "/opt/tool", "/opt/tool/lib", FILE] {
                facts.insert(place, Facts { owner: 0, group: 0, mode: 0o755, is_file: place == FILE });
            }
            for (place, owner, group, mode) in changes {
                facts.insert(place, Facts { owner: *owner, group: *group, mode: *mode, is_file: *place == FILE });
            }
            let trusted = Trusted { owners: vec![0, 1000], groups: vec![50] };
            judge(Path::new(FILE), &trusted, |p| facts.get(p.to_str().unwrap()).copied().ok_or("gone".into()))
        }

        #[test]
        fn root_and_the_user_are_trusted() {
            assert_eq!(judged(&[]), Ok(()));
            assert_eq!(judged(&[(FILE, 1000, 1000, 0o700), ("/opt/tool", 1000, 1000, 0o755)]), Ok(()));
        }

        #[test]
        fn every_folder_above_counts_and_the_reason_names_the_cure() {
            let reason = judged(&[("/opt", 0, 7, 0o775)]).unwrap_err();
            assert!(reason.contains("the folder /opt may be written by its group: `chmod g-w '/opt'`"), "{reason}");
            let reason = judged(&[(FILE, 0, 7, 0o777)]).unwrap_err();
            assert!(reason.contains(&format!("`chmod go-w '{FILE}'`")), "{reason}");
            let reason = judged(&[("/opt/tool", 1234, 0, 0o755)]).unwrap_err();
            assert!(reason.contains("belongs to user 1234"), "{reason}");
        }

        #[test]
        fn a_sticky_folder_may_lie_above_but_not_hold_plugins() {
            assert_eq!(judged(&[("/opt", 0, 0, 0o1777)]), Ok(()));
            let reason = judged(&[("/opt/tool/lib", 0, 0, 0o1777)]).unwrap_err();
            assert!(reason.contains("sticky"), "{reason}");
            let reason = judged(&[("/opt", 0, 0, 0o1777), ("/opt/tool", 1234, 0, 0o755)]).unwrap_err();
            assert!(reason.contains("user 1234"), "{reason}");
            assert!(judged(&[("/opt", 0, 0, 0o777)]).is_err(), "writable by all and not sticky");
        }

        #[test]
        fn a_group_that_may_write_the_program_may_write_plugins_but_everybody_never() {
            assert_eq!(judged(&[("/opt/tool/lib", 0, 50, 0o775)]), Ok(()));
            assert!(judged(&[("/opt/tool/lib", 0, 50, 0o777)]).is_err());
        }

        #[test]
        fn only_regular_files_pass() {
            let facts = |_: &Path| Ok(Facts { owner: 0, group: 0, mode: 0o755, is_file: false });
            let trusted = Trusted { owners: vec![0], groups: vec![] };
            assert!(judge(Path::new(FILE), &trusted, facts).unwrap_err().contains("not a regular file"));
        }
    }
}

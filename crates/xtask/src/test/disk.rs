//! Room for a run: its programs, databases and tools lie in the folder of the repository.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// What a run from a clean checkout takes, with what it installs, in bytes.
const NEEDED: u64 = 8_000_000_000;
/// Below this the disk is taken for the reason of a failure, in bytes.
const FULL: u64 = 500_000_000;

/// What to say before a first run that will not fit.
pub(super) fn warning(root: &Path) -> Option<String> {
    if root.join("target/debug").exists() {
        return None;
    }
    let free = free(root)?;
    (free < NEEDED).then(|| {
        format!(
            "Only {} are free on this disk; a run from a clean checkout takes about {}.",
            size(free),
            size(NEEDED)
        )
    })
}

/// What to say beside a failure where nothing can be written any more.
pub(super) fn advice(root: &Path) -> Option<String> {
    let free = free(root)?;
    (free < FULL).then(|| {
        format!(
            "The disk is full ({} free), which may be why; a run from a clean checkout takes about {}.\n",
            size(free),
            size(NEEDED)
        )
    })
}

/// How many bytes a user may still write there, where the system says so.
fn free(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    Some(disk.blocks_available() as u64 * disk.fragment_size() as u64)
}

fn size(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{} MB", bytes / 1_000_000)
    } else {
        format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(499_999_999), "499 MB");
        assert_eq!(size(7_640_000_000), "7.6 GB");
    }

    #[test]
    fn the_disk_under_the_repository_is_read() {
        assert!(free(Path::new(".")).is_some_and(|bytes| bytes > 0));
    }
}

//! A folder as a `.tar.gz` that is the same bytes whoever makes it, when and where: sorted, without times, owners and names of machines.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, GzBuilder};

/// What tar counts in.
const BLOCK: usize = 512;

/// The archive of files by their paths; those that `is_program` says so of may be run.
pub(super) fn of(
    files: &BTreeMap<String, Vec<u8>>,
    level: Compression,
    is_program: impl Fn(&str) -> bool,
) -> Result<Vec<u8>> {
    // Without a time and a system in its header, as the tar below.
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), level);
    for (path, bytes) in files {
        let mode = if is_program(path) { 0o755 } else { 0o644 };
        gzip.write_all(&header(path, bytes.len(), mode)?)?;
        gzip.write_all(bytes)?;
        let rest = bytes.len() % BLOCK;
        if rest > 0 {
            gzip.write_all(&vec![0; BLOCK - rest])?;
        }
    }
    gzip.write_all(&[0; 2 * BLOCK])?;
    gzip.finish().context("the archive cannot be finished")
}

/// One file's, as POSIX describes `ustar`.
fn header(path: &str, size: usize, mode: u32) -> Result<[u8; BLOCK]> {
    let (folder, name) = divided(path)?;
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(345, folder);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

/// A name has 100 bytes, and the folders before it 155 more.
fn divided(path: &str) -> Result<(&str, &str)> {
    if path.len() <= 100 {
        return Ok(("", path));
    }
    let at = path.len() - 101;
    let slash = path[at..].find('/').map(|found| at + found);
    let (folder, name) = slash
        .map(|slash| (&path[..slash], &path[slash + 1..]))
        .with_context(|| format!("{path} is too long for an archive"))?;
    ensure!(folder.len() <= 155, "{path} is too long for an archive");
    Ok((folder, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// The real tar reads it, and the order in which files were found is none of it.
    #[test]
    fn tar_unpacks_what_was_packed() {
        let long = format!("{}/{}", "a".repeat(90), "b".repeat(80));
        let files = BTreeMap::from([
            ("bin/program".to_owned(), vec![7; 1000]),
            (long.clone(), b"text".to_vec()),
        ]);
        let pack = || of(&files, Compression::best(), |path| path.starts_with("bin/"));
        let archive = pack().expect("it can be packed");
        assert_eq!(archive, pack().expect("it can be packed twice"));
        let mut tar = Command::new("tar")
            .args(["--list", "--verbose", "--gzip", "--file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar is there");
        tar.stdin
            .take()
            .expect("it is piped")
            .write_all(&archive)
            .expect("tar reads");
        let listed = tar.wait_with_output().expect("tar ends");
        let listed = String::from_utf8(listed.stdout).expect("names are text");
        let lines: Vec<&str> = listed.lines().collect();
        assert_eq!(lines.len(), 2, "{listed}");
        assert!(
            lines[0].ends_with(&long) && lines[0].starts_with("-rw-r--r--"),
            "{listed}"
        );
        assert!(
            lines[1].ends_with("bin/program") && lines[1].starts_with("-rwxr-xr-x"),
            "{listed}"
        );
    }
}

//! A Chromium for the tests of the client: one that is there, or Debian's, unpacked below
//! `.interlock/chromium` without touching the system.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::debian::{fetch, library_folders, remove};
use crate::repo::Repo;

/// The one without windows: it needs half as many other packages.
const PACKAGE: &str = "chromium-headless-shell";
const PROGRAM: &str = "usr/lib/chromium/chromium-headless-shell";

/// Names under which it may be on PATH.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-headless-shell",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// Where macOS has it.
const MAC: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A browser to be driven by the tests.
pub(super) struct Chromium {
    /// Its program.
    pub(super) program: PathBuf,
    /// `LD_LIBRARY_PATH` for it; empty for one that is installed.
    pub(super) libraries: OsString,
}

impl Chromium {
    /// Finds or fetches it.
    pub(super) fn obtain(repo: &Repo) -> Result<Self> {
        if let Some(program) = installed() {
            return Ok(Self {
                program,
                libraries: OsString::new(),
            });
        }
        let folder = repo.root.join(".interlock/chromium");
        let root = folder.join("root");
        if !root.join(PROGRAM).is_file() {
            make(&folder, &root).context(
                "no Chromium is there and none could be fetched. Say where one is by CHROMIUM_PATH, or install one: \
                 `apt-get install chromium` on Debian, Google Chrome elsewhere",
            )?;
        }
        let folders = library_folders(&root).flat_map(|folder| [folder.join("pulseaudio"), folder]);
        Ok(Self {
            program: root.join(PROGRAM),
            // No path has a colon unless the repository's has, and then nothing works.
            libraries: env::join_paths(folders).unwrap_or_default(),
        })
    }
}

fn installed() -> Option<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM_PATH") {
        return Some(path.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    on_path
        .chain(MAC.map(PathBuf::from))
        .find(|program| program.is_file())
}

/// Fills a new directory and puts it in place only when it is complete.
fn make(folder: &Path, root: &Path) -> Result<()> {
    println!("fetching Debian's package {PACKAGE} (once, about 100 MB)");
    let draft = folder.join("draft");
    remove(&draft)?;
    remove(root)?;
    fetch(folder, &[PACKAGE], &draft)?;
    if !draft.join(PROGRAM).is_file() {
        bail!("the package {PACKAGE} of this system's sources does not have {PROGRAM}");
    }
    fs::rename(&draft, root)?;
    Ok(())
}

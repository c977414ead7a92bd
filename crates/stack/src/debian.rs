//! Servers of this machine, or of Debian's packages where `npm start -- --with …` has unpacked them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::dirs::Dirs;
use crate::part::Spec;

/// A server: the part that it is called by after `--with`, Debian's package, which has its program's name, and where in
/// the package that is.
pub(crate) struct Server {
    pub(crate) part: &'static str,
    pub(crate) package: &'static str,
    pub(crate) folder: &'static str,
}

impl Server {
    /// It as a part, with the libraries of its package.
    pub(crate) fn spec(&self, root: &Path, dirs: &Dirs) -> Result<Spec> {
        let (program, libraries) = self.program(root)?;
        let spec = Spec::new(self.part, program, dirs);
        Ok(match libraries {
            Some(libraries) => spec.env("LD_LIBRARY_PATH", libraries.to_string_lossy()),
            None => spec,
        })
    }

    fn program(&self, root: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
        let own = root.join(".interlock/debian").join(self.part).join("usr");
        let unpacked = own.join(self.folder).join(self.package);
        if unpacked.exists() {
            let libraries = fs::read_dir(own.join("lib"))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
            return Ok((unpacked, libraries));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join(self.package))
            .find(|program| program.is_file());
        match found {
            Some(program) => Ok((program, None)),
            None => bail!(
                "there is no {package} on PATH: `apt-get install {package}`, or let `npm start -- --with {part}` unpack Debian's",
                package = self.package,
                part = self.part
            ),
        }
    }
}

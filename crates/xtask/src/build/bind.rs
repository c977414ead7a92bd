//! crates/wasm-build, as a process: it links wasm-bindgen, so it is compiled only where a module has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result};

use crate::command::{cargo, run};
use crate::repo::Repo;

/// The JavaScript that speaks with a module.
pub(super) struct Bound {
    pub(super) glue: String,
    pub(super) types: String,
}

/// The program, compiled by whoever needs it first.
pub(super) struct Binder<'a> {
    repo: &'a Repo,
    program: Mutex<Option<PathBuf>>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(repo: &'a Repo) -> Self {
        Self {
            repo,
            program: Mutex::new(None),
        }
    }

    /// Binds what cargo wrote for a function: `module` is there afterwards.
    pub(super) fn bind(&self, input: &Path, name: &str, module: &Path) -> Result<Bound> {
        self.bind_as(None, input, name, module)
    }

    /// The same for a page.
    pub(super) fn bind_page(&self, input: &Path, name: &str, module: &Path) -> Result<Bound> {
        self.bind_as(Some("page"), input, name, module)
    }

    fn bind_as(
        &self,
        kind: Option<&str>,
        input: &Path,
        name: &str,
        module: &Path,
    ) -> Result<Bound> {
        let folder = module.parent().context("a module lies in a folder")?;
        run(Command::new(self.program()?)
            .arg(input)
            .arg(name)
            .arg(folder)
            .args(kind))?;
        let read = |end: &str| {
            let path = module.with_extension(end);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Bound {
            glue: read("js")?,
            types: read("d.ts")?,
        })
    }

    fn program(&self) -> Result<PathBuf> {
        let mut program = self.program.lock().expect("nobody panics here");
        if program.is_none() {
            let mut build = cargo(&["build", "--quiet", "--package", "wasm-build"]);
            build.env("CARGO_TARGET_DIR", &self.repo.target);
            run(build.current_dir(&self.repo.root))?;
            let name = format!("wasm-build{}", std::env::consts::EXE_SUFFIX);
            *program = Some(self.repo.target.join("debug").join(name));
        }
        program.clone().context("it was just built")
    }
}

//! Where things are: the workspace, its target directory, its functions and the tools from npm.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cargo, stdout_of};

/// The target that functions are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The repository that this binary was built from.
pub(crate) struct Repo {
    /// The workspace root.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
    /// Names of the workspace's packages.
    pub(crate) packages: Vec<String>,
    /// The release whose modules and programs stand for what would be built.
    pub(crate) prebuilt: Option<PathBuf>,
}

/// The functions of supabase/config.toml.
pub(crate) struct Declared {
    /// With a crate here.
    pub(crate) ours: Vec<String>,
    /// Without one: somebody else's.
    pub(crate) others: Vec<String>,
}

impl Repo {
    /// The files that git knows or would add, relative to the root, in the order of their names; one that is deleted and not yet
    /// committed is none.
    pub(crate) fn files(&self) -> Result<BTreeSet<String>> {
        let listed = stdout_of(Command::new("git").current_dir(&self.root).args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ]))?;
        Ok(listed
            .split('\0')
            .filter(|path| self.root.join(path).is_file())
            .map(str::to_owned)
            .collect())
    }

    /// Asks cargo for the layout of the workspace; without Rust, looks for it.
    pub(crate) fn open() -> Result<Self> {
        if let Some(release) = env::var_os("INTERLOCK_PREBUILT") {
            return Self::without_rust(release.into());
        }
        let mut metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
        // `cargo xtask` says where it comes from; the program itself keeps no path of the machine that built it.
        if let Some(here) = env::var_os("CARGO_MANIFEST_DIR") {
            metadata.current_dir(here);
        }
        let metadata: Value = serde_json::from_str(&stdout_of(&mut metadata)?)
            .context("cargo metadata did not print JSON")?;
        let text = |key: &str| -> Result<&str> {
            metadata[key]
                .as_str()
                .with_context(|| format!("cargo metadata has no {key}"))
        };
        let packages = metadata["packages"]
            .as_array()
            .context("cargo metadata has no packages")?
            .iter()
            .filter_map(|package| package["name"].as_str().map(str::to_owned))
            .collect();
        Ok(Self {
            root: text("workspace_root")?.into(),
            target: text("target_directory")?.into(),
            packages,
            prebuilt: None,
        })
    }

    /// The checkout around the current directory, with a release in place of what would be built.
    fn without_rust(release: PathBuf) -> Result<Self> {
        let here = env::current_dir()?;
        let root = here
            .ancestors()
            .find(|folder| folder.join("supabase/config.toml").is_file())
            .context("run this in a checkout of Interlock")?
            .to_owned();
        let mut packages = Vec::new();
        for entry in fs::read_dir(root.join("crates"))? {
            packages.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(Self {
            target: root.join("target"),
            root,
            packages,
            prebuilt: Some(release),
        })
    }

    /// The edge functions: every `[functions.NAME]` of supabase/config.toml that has a crate of that name.
    pub(crate) fn functions(&self) -> Result<Vec<String>> {
        let names = self.declared_functions()?.ours;
        if names.is_empty() {
            bail!(
                "no function to build: supabase/config.toml needs a [functions.NAME] for a crate crates/NAME"
            );
        }
        Ok(names)
    }

    /// What supabase/config.toml declares.
    pub(crate) fn declared_functions(&self) -> Result<Declared> {
        let path = self.root.join("supabase/config.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let config: toml::Table = text
            .parse()
            .with_context(|| format!("{} is not valid TOML", path.display()))?;
        let declared = config.get("functions").and_then(toml::Value::as_table);
        let names = declared.into_iter().flat_map(toml::Table::keys).cloned();
        let (ours, others) = names.partition(|name| self.packages.contains(name));
        Ok(Declared { ours, others })
    }

    /// Deno itself. npm's `deno` is a script around it that needs an install script.
    pub(crate) fn deno(&self) -> Result<PathBuf> {
        let name = format!("deno{}", env::consts::EXE_SUFFIX);
        let platforms = self.npm_file("@deno")?;
        fs::read_dir(&platforms)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path().join(&name)))
            .find(|binary| binary.is_file())
            .context("npm installed no Deno for this platform; Deno supports 64-bit Linux (glibc), macOS and Windows")
    }

    /// A Deno command in the workspace root; it neither colours its output nor looks for updates.
    /// Functions see no package.json, as on the platform.
    pub(crate) fn deno_command(&self) -> Result<Command> {
        let mut command = Command::new(self.deno()?);
        command
            .current_dir(&self.root)
            .env("NO_COLOR", "1")
            .env("DENO_NO_PACKAGE_JSON", "1")
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_NO_PROMPT", "1");
        Ok(command)
    }

    /// The crates that run as WASM.
    pub(crate) fn wasm_packages(&self) -> Result<Vec<String>> {
        let mut packages = vec!["interlock-domain".to_owned(), "interlock-edge".to_owned()];
        packages.extend(self.functions()?);
        Ok(packages)
    }

    /// A path as people write it: relative to the workspace root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// A file of an npm package; the error says how to get it.
    pub(crate) fn npm_file(&self, path: &str) -> Result<PathBuf> {
        let file = self.root.join("node_modules").join(path);
        if !file.exists() {
            bail!("node_modules/{path} is missing: run `npm ci`");
        }
        Ok(file)
    }

    /// Version of an installed npm package.
    pub(crate) fn npm_version(&self, package: &str) -> Result<String> {
        let file = self.npm_file(&format!("{package}/package.json"))?;
        let json: Value = serde_json::from_str(&fs::read_to_string(&file)?)
            .with_context(|| format!("{} is not valid JSON", file.display()))?;
        let version = json["version"]
            .as_str()
            .with_context(|| format!("{} has no version", file.display()))?;
        Ok(version.to_owned())
    }
}

/// The user's home directory, if the environment names one.
pub(crate) fn home() -> Option<PathBuf> {
    env::var_os("HOME")
        .or_else(|| env::var_os("USERPROFILE"))
        .map(PathBuf::from)
        .filter(|home| home.parent().is_some())
}

/// Cargo's home: registry sources lie below it.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| home().map(|home| home.join(".cargo")))
}

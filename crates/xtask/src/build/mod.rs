//! `cargo xtask build`: crate → WASM → wasm-bindgen → wasm-opt → `functions/NAME/core.js`, and the pages of the console.

mod bind;
mod cargo;
mod check;
mod console;
mod embed;
mod fingerprint;
mod optimise;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::prebuilt;
use crate::repo::Repo;

pub(crate) use cargo::rustflags;
pub(crate) use console::build as console;

/// What to build.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Build only this function.
    #[arg(long, value_name = "NAME")]
    function: Vec<String>,
    /// Run every step even where nothing changed.
    #[arg(long)]
    force: bool,
    /// `failpoint` builds modules that trap on request into target/failpoint, for tests.
    #[arg(long, value_name = "FEATURE", value_parser = ["failpoint"])]
    features: Option<String>,
}

impl Args {
    /// The build that trap tests load.
    pub(crate) fn failpoint() -> Self {
        Self {
            features: Some("failpoint".to_owned()),
            ..Self::default()
        }
    }
}

/// A built function.
pub(crate) struct Built {
    pub(crate) name: String,
    /// Bytes of the optimised module.
    pub(crate) raw: usize,
    /// The same after gzip.
    pub(crate) gzip: usize,
}

/// Where one function's files go.
struct Places {
    /// What cargo wrote.
    input: PathBuf,
    /// `core.js` and `core.d.ts` go here.
    output: PathBuf,
    /// The optimised plain module.
    module: PathBuf,
    /// What the last build was made of.
    stamp: PathBuf,
}

/// Builds and prints the sizes.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    for function in build(repo, args)? {
        println!("{}", function.describe());
    }
    if args.function.is_empty() && args.features.is_none() {
        println!("{}", console(repo, args.force)?.describe());
    }
    Ok(())
}

/// Builds what `args` ask for.
pub(crate) fn build(repo: &Repo, args: &Args) -> Result<Vec<Built>> {
    if let Some(release) = &repo.prebuilt {
        return prebuilt::modules(repo, release)?
            .iter()
            .map(|(name, module)| Built::read(name, module))
            .collect();
    }
    let declared = repo.functions()?;
    for name in &args.function {
        if !declared.contains(name) {
            bail!(
                "there is no function {name:?}; supabase/config.toml and crates/ know: {}",
                declared.join(", ")
            );
        }
    }
    let names: Vec<String> = declared
        .into_iter()
        .filter(|name| args.function.is_empty() || args.function.contains(name))
        .collect();
    let profile = cargo::Profile::of(args.features.as_deref());
    cargo::compile(repo, &names, profile)?;
    let binder = bind::Binder::new(repo);
    let stage = |name: &String| -> Result<Built> {
        finish(repo, &binder, name, profile, args.force).with_context(|| format!("function {name}"))
    };
    thread::scope(|scope| {
        let stages: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(move || stage(name)))
            .collect();
        stages
            .into_iter()
            .map(|handle| match handle.join() {
                Ok(built) => built,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// A function's module as cargo writes it, before anything else is done with it.
pub(crate) fn module_of(repo: &Repo, function: &str) -> Result<Vec<u8>> {
    cargo::compile(repo, &[function.to_owned()], cargo::Profile::Release)?;
    let module = cargo::artifact(repo, function, cargo::Profile::Release);
    fs::read(&module).with_context(|| format!("cargo did not write {}", module.display()))
}

/// The types of what a function's module exports, as its core.d.ts has them; they are the same for all.
pub(crate) fn contract(repo: &Repo) -> Result<String> {
    let mut types = BTreeMap::new();
    for function in build(repo, &Args::default())? {
        let path = Places::of(repo, &function.name, cargo::Profile::Release)
            .output
            .join("core.d.ts");
        types.insert(fs::read_to_string(path)?, function.name);
    }
    match types.pop_first() {
        Some((contract, _)) if types.is_empty() => embed::contract(&contract),
        Some((_, name)) => bail!("core.d.ts of {name} differs from that of other functions"),
        None => bail!("there is no function"),
    }
}

/// Everything after cargo, for one function; skipped where the stamp says that nothing changed.
fn finish(
    repo: &Repo,
    binder: &bind::Binder<'_>,
    name: &str,
    profile: cargo::Profile,
    force: bool,
) -> Result<Built> {
    let places = Places::of(repo, name, profile);
    let input = fs::read(&places.input)
        .with_context(|| format!("cargo did not write {}", repo.relative(&places.input)))?;
    let stamp = fingerprint::of(repo, &input)?;
    if !force && places.is_current(&stamp) {
        return Built::read(name, &places.module);
    }
    let bound = binder.bind(&places.input, name, &places.module)?;
    optimise::shrink(repo, &places.module)?;
    let wasm = fs::read(&places.module)?;
    check::no_machine_path(repo, &wasm)?;
    check::no_code_of_the_database(&wasm)?;
    if profile == cargo::Profile::Release {
        check::no_fault_point(&wasm)?;
    }
    write(
        &places.output.join("core.js"),
        embed::module(&bound.glue, &wasm)?.as_bytes(),
    )?;
    write(
        &places.output.join("core.d.ts"),
        embed::types(&bound.types)?.as_bytes(),
    )?;
    write(&places.stamp, stamp.as_bytes())?;
    Built::read(name, &places.module)
}

impl Places {
    fn of(repo: &Repo, name: &str, profile: cargo::Profile) -> Self {
        let files = match profile {
            cargo::Profile::Release => repo.target.join("functions"),
            cargo::Profile::Failpoint => repo.target.join("failpoint/modules"),
        };
        let output = match profile {
            cargo::Profile::Release => repo.root.join("functions").join(name),
            cargo::Profile::Failpoint => repo.target.join("failpoint").join(name),
        };
        Self {
            input: cargo::artifact(repo, name, profile),
            output,
            module: files.join(format!("{name}.wasm")),
            stamp: files.join(format!("{name}.stamp")),
        }
    }

    fn is_current(&self, stamp: &str) -> bool {
        self.output.join("core.js").exists()
            && self.output.join("core.d.ts").exists()
            && self.module.exists()
            && fs::read_to_string(&self.stamp).is_ok_and(|last| last == stamp)
    }
}

impl Built {
    fn read(name: &str, module: &Path) -> Result<Self> {
        Self::weigh(name, &fs::read(module)?)
    }

    fn weigh(name: &str, bytes: &[u8]) -> Result<Self> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes)?;
        Ok(Self {
            name: name.to_owned(),
            raw: bytes.len(),
            gzip: gzip.finish()?.len(),
        })
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let kb = |bytes: usize| bytes as f64 / 1000.0;
        format!(
            "{:<16} {:>7.1} KB, {:>6.1} KB gzipped",
            self.name,
            kb(self.raw),
            kb(self.gzip)
        )
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

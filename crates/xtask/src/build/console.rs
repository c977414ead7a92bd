//! The pages of crates/console: a module beside its glue, which the page loads as files, so that its policy can forbid everything
//! that is inline.

use std::fs;

use anyhow::{Context, Result};

use super::{Built, bind, cargo, check, fingerprint, optimise, write};
use crate::prebuilt;
use crate::repo::Repo;

/// Its crate.
const CRATE: &str = "interlock-console";

/// What is served as it is written.
const STATIC: [&str; 3] = ["index.html", "style.css", "start.js"];

/// Builds them into crates/console/dist, and weighs all that a visitor loads.
pub(crate) fn build(repo: &Repo, force: bool) -> Result<Built> {
    if let Some(release) = &repo.prebuilt {
        let files = prebuilt::console(repo, release)?;
        let files: Result<Vec<Vec<u8>>, _> = files.iter().map(fs::read).collect();
        return weigh(files?);
    }
    let folder = repo.root.join("crates/console");
    let output = folder.join("dist");
    let module = output.join("console.wasm");
    let stamp_file = repo.target.join("console.stamp");

    cargo::compile(repo, &[CRATE.to_owned()], cargo::Profile::Release)?;
    let artifact = cargo::artifact(repo, CRATE, cargo::Profile::Release);
    let input = fs::read(&artifact)
        .with_context(|| format!("cargo did not write {}", repo.relative(&artifact)))?;
    let stamp = fingerprint::of(repo, &input)?;
    let is_current =
        module.exists() && fs::read_to_string(&stamp_file).is_ok_and(|last| last == stamp);
    if force || !is_current {
        // Its glue is written beside it; the types are for nobody.
        bind::Binder::new(repo).bind_page(&artifact, "console", &module)?;
        fs::remove_file(module.with_extension("d.ts"))?;
        optimise::shrink(repo, &module)?;
        check::no_machine_path(repo, &fs::read(&module)?)?;
        write(&stamp_file, stamp.as_bytes())?;
    }
    let mut files = vec![fs::read(&module)?, fs::read(module.with_extension("js"))?];
    for name in STATIC {
        let bytes = fs::read(folder.join("static").join(name))?;
        write(&output.join(name), &bytes)?;
        files.push(bytes);
    }
    weigh(files)
}

/// All that a visitor loads.
fn weigh(files: Vec<Vec<u8>>) -> Result<Built> {
    let mut weight = Built {
        name: "console".to_owned(),
        raw: 0,
        gzip: 0,
    };
    for file in files {
        let file = Built::weigh("console", &file)?;
        weight.raw += file.raw;
        weight.gzip += file.gzip;
    }
    Ok(weight)
}

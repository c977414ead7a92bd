//! A release in place of what is built here (`--prebuilt DIR`): its modules and pages are put where a build would put them, once
//! it is sure that it was made of this checkout's sources. What its files should be, crates/xtask/launch.mjs has checked by then.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::release::{SOURCES, sums, system};
use crate::repo::Repo;

/// Fails where the release is of other sources, and says what to do.
fn same_sources(repo: &Repo, release: &Path) -> Result<()> {
    let path = release.join(SOURCES);
    let of_release = fs::read_to_string(&path).with_context(|| {
        format!(
            "{} is no release: it has no file {SOURCES}",
            release.display()
        )
    })?;
    ensure!(
        of_release.trim() == sums::of_sources(&repo.root)?,
        "{} was made of other sources than this checkout has: check out the tag of its version, or leave --prebuilt out",
        release.display()
    );
    for (name, bytes) in sums::files_below(&release.join("supabase/migrations"))? {
        let here = repo.root.join("supabase/migrations").join(&name);
        ensure!(
            fs::read(&here).is_ok_and(|own| own == bytes),
            "supabase/migrations/{name} is not the release's: its functions are made for that one"
        );
    }
    Ok(())
}

/// Puts the modules in place, and says of which functions.
pub(crate) fn modules(repo: &Repo, release: &Path) -> Result<Vec<(String, PathBuf)>> {
    same_sources(repo, release)?;
    let mut installed = Vec::new();
    for function in repo.functions()? {
        let folder = format!("functions/{function}");
        for name in ["core.js", "core.d.ts"] {
            copy(
                release,
                repo,
                &format!("{folder}/{name}"),
                &format!("{folder}/{name}"),
            )?;
        }
        let module = release.join("modules").join(format!("{function}.wasm"));
        installed.push((function, module));
    }
    Ok(installed)
}

/// Puts the console's pages in place.
pub(crate) fn console(repo: &Repo, release: &Path) -> Result<Vec<PathBuf>> {
    let mut installed = Vec::new();
    for name in sums::files_below(&release.join("console"))?.into_keys() {
        copy(
            release,
            repo,
            &format!("console/{name}"),
            &format!("crates/console/dist/{name}"),
        )?;
        installed.push(release.join("console").join(name));
    }
    Ok(installed)
}

/// The local stack of the release.
pub(crate) fn stack(release: &Path) -> Result<PathBuf> {
    let name = format!("interlock-stack{}", std::env::consts::EXE_SUFFIX);
    let program = release.join("bin").join(system()).join(name);
    if !program.is_file() {
        bail!(
            "{} is missing: unpack the release's tools for {} there",
            program.display(),
            system()
        );
    }
    Ok(program)
}

fn copy(release: &Path, repo: &Repo, from: &str, to: &str) -> Result<()> {
    let target = repo.root.join(to);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(release.join(from), target)
        .with_context(|| format!("the release's {from} cannot be copied to {to}"))?;
    Ok(())
}

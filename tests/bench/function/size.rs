//! What is uploaded of a function.

use super::{FETCH, INTERLOCK, SECTION, SUPABASE_JS, Variant, root};
use crate::figure::Figure;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The sources that the CLI sends, and what the platform's bundle has besides.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let root = root()?;
    let bytes = |scenario: &str, variant: Variant, size: u64| {
        let mut figure = Figure::new(SECTION, scenario, variant.name, "bytes");
        figure.samples.push(size as f64);
        figure
    };
    let mut figures = Vec::new();
    for variant in [INTERLOCK, FETCH, SUPABASE_JS] {
        let mut sources = BTreeSet::new();
        let folder = root.join(variant.folder);
        collect(&folder.join("index.ts"), &mut sources)?;
        sources.insert(folder.join("deno.json").canonicalize()?);
        let mut sent = 0;
        for source in &sources {
            sent += fs::metadata(source)?.len();
        }
        let mut packages = BTreeSet::new();
        for package in npm_packages(&folder.join("deno.json"))? {
            dependencies(&root, &package, &mut packages)?;
        }
        let mut npm = 0;
        for package in &packages {
            npm += size_of(&root.join("node_modules").join(package))?;
        }
        figures.push(bytes("upload: sources", variant, sent));
        figures.push(bytes(
            "upload: sources and npm packages, unpacked",
            variant,
            sent + npm,
        ));
    }
    let module = module_size(&root.join(INTERLOCK.folder).join("core.js"))?;
    figures.push(bytes("WASM module", INTERLOCK, module));
    Ok(figures)
}

/// A source and everything that it imports by a relative path, which is how the CLI finds what to send.
fn collect(source: &Path, sources: &mut BTreeSet<PathBuf>) -> Result<()> {
    let source = source
        .canonicalize()
        .with_context(|| format!("there is no {}; run `npm run build`", source.display()))?;
    let text = fs::read_to_string(&source)?;
    let folder = source
        .parent()
        .context("a file lies in a folder")?
        .to_owned();
    if sources.insert(source) {
        let imports = text.split(" from \"").skip(1);
        for import in imports.filter_map(|rest| rest.split('"').next()) {
            if import.starts_with('.') {
                collect(&folder.join(import), sources)?;
            }
        }
    }
    Ok(())
}

/// The packages that a `deno.json` names.
fn npm_packages(config: &Path) -> Result<Vec<String>> {
    let config: Value = serde_json::from_slice(&fs::read(config)?)?;
    let imports = config["imports"].as_object().context("a list of imports")?;
    let packages = imports.values().filter_map(|target| {
        let package = target.as_str()?.strip_prefix("npm:")?;
        // The version, after the `@` that does not begin a scope.
        let end = package.rfind('@').filter(|at| *at > 0);
        Some(package[..end.unwrap_or(package.len())].to_owned())
    });
    Ok(packages.collect())
}

/// A package and all that it needs.
fn dependencies(root: &Path, package: &str, packages: &mut BTreeSet<String>) -> Result<()> {
    if !packages.insert(package.to_owned()) {
        return Ok(());
    }
    let manifest = root.join("node_modules").join(package).join("package.json");
    let manifest = fs::read(&manifest)
        .with_context(|| format!("{package} is not installed; run `npm install`"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    for dependency in manifest["dependencies"].as_object().into_iter().flatten() {
        dependencies(root, dependency.0, packages)?;
    }
    Ok(())
}

/// The bytes of all files in a folder.
fn size_of(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        size += if entry.file_type()?.is_dir() {
            size_of(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(size)
}

/// The module as it stands in the generated file: base64 makes four characters of three bytes.
fn module_size(core: &Path) -> Result<u64> {
    let text = fs::read_to_string(core)?;
    let base64 = text
        .split("const BASE64 = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .context("core.js carries its module")?;
    let characters = base64.trim_end_matches('=').len();
    Ok((characters * 3 / 4) as u64)
}

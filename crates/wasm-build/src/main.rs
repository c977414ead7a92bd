//! `wasm-build MODULE NAME FOLDER [page]`: binds a module that cargo wrote, of a function or of a page. FOLDER gets `NAME.wasm`,
//! `NAME.js` (the glue) and `NAME.d.ts`.
//!
//! A program of its own, because it links wasm-bindgen and walrus, which take longer to compile than the rest of
//! `cargo xtask` together and are needed only where a module has changed.

mod bindgen;
mod silence;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(module), Some(name), Some(folder)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        bail!("usage: wasm-build MODULE NAME FOLDER [page]");
    };
    let of_page = arguments.next().is_some_and(|kind| kind == "page");
    let name = name.to_string_lossy();
    let input = fs::read(&module)
        .with_context(|| format!("cannot read {}", Path::new(&module).display()))?;
    let bound = bindgen::bind(&name, input, of_page)?;
    only_glue(&bound.imports)?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    for (end, content) in [
        ("wasm", bound.wasm.as_slice()),
        ("js", bound.glue.as_bytes()),
        ("d.ts", bound.types.as_bytes()),
    ] {
        let path = folder.join(format!("{name}.{end}"));
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A module may import only what wasm-bindgen's glue gives; anything else fails at its first start.
fn only_glue(imports: &[(String, String)]) -> Result<()> {
    let foreign: Vec<String> = imports
        .iter()
        .filter(|(module, _)| module != "./core_bg.js")
        .map(|(module, name)| format!("{module}.{name}"))
        .collect();
    if !foreign.is_empty() {
        bail!(
            "the module imports {}: some dependency calls C or system functions that WASM does not have",
            foreign.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::only_glue;

    #[test]
    fn an_env_import_is_refused_by_name() {
        let imports = [
            ("./core_bg.js".to_owned(), "a".to_owned()),
            ("env".to_owned(), "malloc".to_owned()),
        ];
        let error = only_glue(&imports).expect_err("env is foreign").to_string();
        assert!(error.contains("env.malloc"), "{error}");
        assert!(only_glue(&imports[..1]).is_ok());
    }
}

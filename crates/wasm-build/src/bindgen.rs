//! wasm-bindgen as a library: its version is the one in Cargo.lock.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use walrus::Module;
use wasm_bindgen_cli_support::Bindgen;

use crate::silence;

/// A module and the JavaScript that speaks with it.
pub(crate) struct Bound {
    pub(crate) wasm: Vec<u8>,
    pub(crate) glue: String,
    pub(crate) types: String,
    /// (module, name) of everything that the module imports.
    pub(crate) imports: Vec<(String, String)>,
}

/// Makes the glue for a module that cargo wrote. What a function cannot reach is cut out of its module; a page keeps all.
pub(crate) fn bind(name: &str, wasm: Vec<u8>, of_page: bool) -> Result<Bound> {
    let mut output = Bindgen::new()
        .input_bytes("core", wasm)
        .web(true)?
        .reset_state_function(true)
        .omit_default_module_path(true)
        .typescript(true)
        .demangle(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .with_context(|| format!("wasm-bindgen refused {name}"))?;
    if !of_page {
        silence::panics(output.wasm_mut());
    }
    let glue = shorten_imports(output.js().to_owned(), output.wasm_mut())
        .with_context(|| format!("the glue of {name}"))?;
    let imports = output
        .wasm()
        .imports
        .iter()
        .map(|import| (import.module.clone(), import.name.clone()))
        .collect();
    Ok(Bound {
        glue,
        types: output.ts().unwrap_or_default().to_owned(),
        imports,
        wasm: output.wasm_mut().emit_wasm(),
    })
}

/// Renames the functions that the glue gives to the module. Their names stand in both, each with a
/// hash, and are uploaded with every function.
fn shorten_imports(mut glue: String, module: &mut Module) -> Result<String> {
    let mut names = BTreeMap::new();
    for import in module.imports.iter_mut() {
        let next = format!("i{}", names.len());
        let short: &String = names.entry(import.name.clone()).or_insert(next);
        import.name.clone_from(short);
    }
    for (long, short) in names {
        let method = |name: &str| format!("{name}: function(");
        ensure!(glue.contains(&method(&long)), "it does not define {long}");
        glue = glue.replace(&method(&long), &method(&short));
    }
    Ok(glue)
}

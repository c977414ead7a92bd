//! wasm-bindgen as a library: its version is the one in Cargo.lock.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

/// A module and the JavaScript that speaks with it.
pub(super) struct Bound {
    pub(super) wasm: Vec<u8>,
    pub(super) glue: String,
    pub(super) types: String,
    /// (module, name) of everything that the module imports.
    pub(super) imports: Vec<(String, String)>,
}

/// Makes the glue for a module that cargo wrote.
pub(super) fn bind(name: &str, wasm: Vec<u8>) -> Result<Bound> {
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
    let imports = output
        .wasm()
        .imports
        .iter()
        .map(|import| (import.module.clone(), import.name.clone()))
        .collect();
    Ok(Bound {
        glue: output.js().to_owned(),
        types: output.ts().unwrap_or_default().to_owned(),
        imports,
        wasm: output.wasm_mut().emit_wasm(),
    })
}

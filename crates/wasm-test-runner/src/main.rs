//! wasm-bindgen's test runner as a program of this workspace: its version is the one in Cargo.lock,
//! so it always fits the tests. `cargo xtask test` tells cargo to run WASM tests with it.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}

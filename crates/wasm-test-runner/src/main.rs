//! wasm-bindgen's test runner as a program of this workspace: its version is the one in Cargo.lock,
//! so it always fits the tests. `cargo xtask test` tells cargo to run WASM tests with it.

use std::process::ExitCode;

use wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args;

fn main() -> ExitCode {
    match run_cli_with_args(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

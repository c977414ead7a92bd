//! `npm run prove`: the sections are in the library, where the areas are that they prove.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlock_tests::prove::main()
}

//! The types of what crosses the boundary, as TypeScript has them. They stand in each function's core.d.ts, and
//! `cargo xtask codegen` makes functions/_shared/core.ts from that.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("contract.d.ts");

#[wasm_bindgen]
extern "C" {
    /// What the shim has to do next.
    #[wasm_bindgen(typescript_type = "Step")]
    pub type Step;

    /// An answer to the client.
    #[wasm_bindgen(typescript_type = "Reply")]
    pub type Reply;

    /// What the environment says.
    #[wasm_bindgen(typescript_type = "Settings")]
    pub type Settings;

    /// What the shim needs to know once per isolate.
    #[wasm_bindgen(typescript_type = "Start")]
    pub type Start;

    /// A word for why a body could not be read.
    #[wasm_bindgen(typescript_type = "BodyFault")]
    pub type BodyFault;

    /// A word for why a call has no answer.
    #[wasm_bindgen(typescript_type = "NoAnswer")]
    pub type NoAnswer;
}

//! The corpus of recorded exchanges, replayed through the WASM exports and V8's own JSON.
#![cfg(target_arch = "wasm32")]

#[path = "../../../tests/corpus/boundary.rs"]
mod boundary;
#[path = "../../../tests/corpus/replay.rs"]
mod replay;

use interlock_domain::exchange::State;
use wasm_bindgen_test::wasm_bindgen_test;

const CORPUS: &str = include_str!("../../../tests/corpus/promo-validate.json");

#[wasm_bindgen_test]
fn wasm_answers_as_recorded() {
    let replayed = replay::replay(CORPUS, &through_wasm!(promo_validate));
    replay::assert_as_recorded(CORPUS, &replayed);
}

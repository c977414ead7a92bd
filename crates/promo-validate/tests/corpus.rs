//! The corpus of recorded exchanges, replayed through the WASM exports and V8's own JSON.
#![cfg(target_arch = "wasm32")]

#[path = "../../../tests/corpus/replay.rs"]
mod replay;

use js_sys::JSON;
use replay::{Exchange, assert_as_recorded};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

const CORPUS: &str = include_str!("../../../tests/corpus/promo-validate.json");

fn from_text(text: &str) -> JsValue {
    JSON::parse(text).expect("the corpus is JSON")
}

fn to_text(step: JsValue) -> String {
    JSON::stringify(&step).expect("a step is plain data").into()
}

#[wasm_bindgen_test]
fn wasm_answers_as_recorded() {
    let exchange = Exchange {
        begin: &|request| to_text(promo_validate::begin(from_text(request))),
        resume: &|call, outcome, host| {
            to_text(promo_validate::resume(
                from_text(call),
                from_text(outcome),
                from_text(host),
            ))
        },
    };
    assert_as_recorded(CORPUS, &replay::replay(CORPUS, &exchange));
}

//! The corpus of recorded exchanges, replayed natively. `RECORD=1 cargo test -p interlock-domain`
//! writes it anew; read the difference before you commit it.

#[path = "../../../tests/corpus/replay.rs"]
mod replay;

use interlock_domain::claim_route::CLAIM_ROUTE;
use interlock_domain::exchange::{self, Call, Step};
use interlock_domain::http::{Host, Request};
use interlock_domain::json::{Codec, SerdeJson, Value};
use interlock_domain::upstream::Outcome;
use replay::{Exchange, assert_as_recorded};

const CORPUS: &str = include_str!("../../../tests/corpus/claim-route.json");

fn value(text: &str) -> Value {
    SerdeJson.parse(text).expect("JSON")
}

#[test]
fn native_answers_as_recorded() {
    let to_text = |step: Step| SerdeJson.write(&step.to_value());
    let exchange = Exchange {
        begin: &|request| {
            let request = Request::from_value(&value(request)).expect("a request");
            to_text(exchange::begin(&CLAIM_ROUTE, &SerdeJson, request))
        },
        resume: &|call, outcome, host| {
            let call = Call::from_value(&value(call)).expect("a call");
            let outcome = Outcome::from_value(&value(outcome)).expect("an outcome");
            let host = Host::from_value(&value(host)).expect("a host");
            to_text(exchange::resume(
                &CLAIM_ROUTE,
                &SerdeJson,
                call,
                outcome,
                &host,
            ))
        },
    };
    let replayed = replay::replay(CORPUS, &exchange);
    if std::env::var_os("RECORD").is_some() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/corpus/claim-route.json"
        );
        let text = serde_json::to_string_pretty(&replayed).expect("plain data");
        std::fs::write(path, text + "\n").expect("the corpus can be written");
        return;
    }
    assert_as_recorded(CORPUS, &replayed);
}

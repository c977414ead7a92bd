//! The corpora of recorded exchanges, replayed natively. `RECORD=1 cargo test -p interlock-domain`
//! writes them anew; read the difference before you commit it.

#[path = "../../../tests/corpus/replay.rs"]
mod replay;

use interlock_domain::checkout::CHECKOUT;
use interlock_domain::claim_route::CLAIM_ROUTE;
use interlock_domain::exchange::{self, State};
use interlock_domain::function::Function;
use interlock_domain::http::Request;
use interlock_domain::json::{Codec, SerdeJson, Value};
use interlock_domain::promo_validate::PROMO_VALIDATE;
use interlock_domain::upstream::Outcome;
use replay::{Exchange, assert_as_recorded};

fn value(text: &str) -> Value {
    SerdeJson.parse(text).expect("JSON")
}

fn check(function: &Function) {
    let name = function.name;
    let path = format!(
        "{}/../../tests/corpus/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let corpus = std::fs::read_to_string(&path).expect("the corpus is there");
    let posted = |call: &Value| Some(call.get("body")?.as_text()?.to_owned());
    let exchange = Exchange {
        begin: &|request| {
            let request = Request::from_value(&value(request)).expect("a request");
            let step = exchange::begin(function, &SerdeJson, request);
            SerdeJson.write(&step.into_value(None))
        },
        resume: &|call, outcome, host| {
            let [call, outcome, host] = [call, outcome, host].map(value);
            let state = State::from_value(&call, &host).expect("a call");
            let outcome = Outcome::from_value(&outcome).expect("an outcome");
            let number = |name| host.get(name).and_then(Value::as_number).expect(name);
            let (now, random) = (number("now"), number("random"));
            let step = exchange::resume(function, &SerdeJson, state, outcome, now, random);
            SerdeJson.write(&step.into_value(posted(&call).as_deref()))
        },
    };
    let replayed = replay::replay(&corpus, &exchange);
    if std::env::var_os("RECORD").is_some() {
        let text = serde_json::to_string_pretty(&replayed).expect("plain data");
        std::fs::write(path, text + "\n").expect("the corpus can be written");
        return;
    }
    assert_as_recorded(&corpus, &replayed);
}

#[test]
fn claim_route_answers_as_recorded() {
    check(&CLAIM_ROUTE);
}

#[test]
fn checkout_answers_as_recorded() {
    check(&CHECKOUT);
}

#[test]
fn promo_validate_answers_as_recorded() {
    check(&PROMO_VALIDATE);
}

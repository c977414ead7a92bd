//! The corpora of recorded exchanges, replayed natively. `RECORD=1 cargo test -p interlock-domain`
//! writes them anew, with each sample request of a record that they lack; read the difference before you commit it.

#[path = "../../../tests/corpus/replay.rs"]
mod replay;

use interlock_domain::FUNCTIONS;
use interlock_domain::exchange::{self, State};
use interlock_domain::function::{Function, Sample};
use interlock_domain::http::Request;
use interlock_domain::json::{Codec, SerdeJson, Value, object};
use interlock_domain::upstream::Outcome;
use replay::{Exchange, assert_as_recorded};

/// A buyer's token, good until an hour after every request.
const USER: &str = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCIsImV4cCI6MTgwMDAwMzYwMH0.c2ln";

/// What a sender signs with; the database looks at it.
const SIGNATURE: &str =
    "t=1800000000,v1=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";

fn value(text: &str) -> Value {
    SerdeJson.parse(text).expect("JSON")
}

fn check(function: &Function) {
    let name = function.name;
    let path = format!(
        "{}/../../tests/corpus/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let is_recording = std::env::var_os("RECORD").is_some();
    let corpus = match std::fs::read_to_string(&path) {
        Ok(corpus) => corpus,
        Err(_) if is_recording => "[]".to_owned(),
        Err(error) => panic!("{path}: {error}; RECORD=1 writes it"),
    };
    let Value::List(mut cases) = value(&corpus) else {
        panic!("{path} is no list")
    };
    for sample in function.told.samples {
        let body = |case: &Value| {
            case.get("request")?
                .get("body")?
                .as_text()
                .map(str::to_owned)
        };
        if cases
            .iter()
            .any(|case| body(case).as_deref() == Some(sample.body))
        {
            continue;
        }
        assert!(
            is_recording,
            "{path} lacks {:?}; RECORD=1 adds it",
            sample.name
        );
        cases.extend(of_sample(function, sample));
    }
    let corpus = SerdeJson.write(&Value::List(cases));
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
            let (elapsed, random) = (number("elapsed"), number("random"));
            let step = exchange::resume(function, &SerdeJson, state, outcome, elapsed, random);
            SerdeJson.write(&step.into_value(posted(&call).as_deref()))
        },
    };
    let replayed = replay::replay(&corpus, &exchange);
    if is_recording {
        let text = serde_json::to_string_pretty(&replayed).expect("plain data");
        std::fs::write(path, text + "\n").expect("the corpus can be written");
        return;
    }
    assert_as_recorded(&corpus, &replayed);
}

/// A sample with each end that a call can have: done, refused, and nobody knows.
fn of_sample(function: &Function, sample: &Sample) -> [Value; 3] {
    let proof = if function.is_for_users() {
        USER
    } else {
        SIGNATURE
    };
    let answered = |status: u32, body: &str| {
        object([
            ("kind", "answered".into()),
            ("status", status.into()),
            ("body", body.into()),
            ("replayed", false.into()),
        ])
    };
    let refusal = r#"{"code":"PT409","message":"REFUSED","details":null,"hint":null}"#;
    let ends = [
        ("done", answered(200, r#"{"success":true}"#)),
        ("refused", answered(409, refusal)),
        ("too late", object([("kind", "timedOut".into())])),
    ];
    ends.map(|(end, outcome)| {
        let mut request = object([
            ("method", "POST".into()),
            ("authorization", proof.into()),
            ("contentType", "application/json".into()),
            ("requestId", Value::Null),
            ("idempotencyKey", Value::Null),
            ("body", sample.body.into()),
            ("bodyFault", Value::Null),
        ]);
        if let (true, Value::Object(members)) = (function.is_conditional(), &mut request) {
            members.push(("ifMatch".to_owned(), Value::Null));
        }
        object([
            ("name", format!("{}: {end}", sample.name).as_str().into()),
            ("request", request),
            ("outcomes", Value::List(vec![outcome])),
        ])
    })
}

#[test]
fn every_function_answers_as_recorded() {
    for function in FUNCTIONS {
        check(function);
    }
}

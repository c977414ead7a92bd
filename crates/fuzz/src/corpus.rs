//! The inputs to begin with: the recorded exchanges of tests/corpus, which are text that a person can
//! read. And the files of findings, each with one input.

use crate::targets::{TARGETS, Target};
use anyhow::{Context as _, Result, bail};
use interlock_domain::FUNCTIONS;
use interlock_domain::json::{Value, object};
use std::fs;
use std::path::Path;

/// What the recorded exchanges give each target.
pub(crate) struct Corpus {
    /// `{function, request, outcomes}`; the outcome of calls that are made at once has those of each, under `branches`.
    pub(crate) exchanges: Vec<Value>,
    /// `{function, request}` or `{function, call, outcome, host}`, as they cross the boundary.
    pub(crate) states: Vec<Value>,
    /// `{text}`
    pub(crate) texts: Vec<Value>,
}

/// Reads a list of JSON documents.
fn list(path: &Path) -> Result<Vec<Value>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match serde_json::from_str(&text).map(value) {
        Ok(Value::List(items)) => Ok(items),
        _ => bail!("{} is not a JSON list", path.display()),
    }
}

/// Inputs may be nested more deeply than the domain's own codec reads.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => truth.into(),
        serde_json::Value::Number(number) => number.as_f64().unwrap_or_default().into(),
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(value).collect()),
        serde_json::Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, member)| (name, value(member)))
                .collect(),
        ),
    }
}

impl Corpus {
    /// Reads it all.
    pub(crate) fn read() -> Result<Self> {
        let mut corpus = Corpus {
            exchanges: Vec::new(),
            states: Vec::new(),
            texts: Vec::new(),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
        for function in FUNCTIONS {
            for case in list(&folder.join(format!("{}.json", function.name)))? {
                corpus.add(function.name, &case);
            }
        }
        Ok(corpus)
    }

    fn add(&mut self, function: &str, case: &Value) {
        let member = |name| case.get(name).cloned().unwrap_or(Value::Null);
        let host = object([
            ("now", Value::Number(1_800_000_000_000.0)),
            ("elapsed", Value::Number(5.0)),
            ("random", Value::Number(0.5)),
            ("id", "fresh-id".into()),
            ("timeout", Value::Number(10_000.0)),
        ]);
        let (request, outcomes) = (member("request"), member("outcomes"));
        if let Value::Object(mut members) = request.clone() {
            let texts = members
                .iter()
                .filter(|(name, _)| name == "body")
                .map(|(_, text)| text.clone());
            self.texts
                .extend(texts.map(|text| object([("text", text)])));
            members.push(("host".to_owned(), host.clone()));
            self.states.push(object([
                ("function", function.into()),
                ("request", Value::Object(members)),
            ]));
        }
        self.add_steps(function, &member("steps"), &outcomes, &host);
        self.exchanges.push(object([
            ("function", function.into()),
            ("request", request),
            ("outcomes", outcomes),
        ]));
    }

    fn add_steps(&mut self, function: &str, steps: &Value, outcomes: &Value, host: &Value) {
        let (Value::List(steps), Value::List(outcomes)) = (steps, outcomes) else {
            return;
        };
        for (step, outcome) in steps.iter().zip(outcomes) {
            let mut outcome = outcome.clone();
            if let (Some(Value::List(steps)), Some(Value::List(outcomes))) =
                (step.get("branches"), outcome.get("branches"))
            {
                for (steps, outcomes) in steps.iter().zip(outcomes) {
                    self.add_steps(function, steps, outcomes, host);
                }
                outcome = together(steps);
            }
            self.texts.extend(
                outcome
                    .get("body")
                    .map(|text| object([("text", text.clone())])),
            );
            self.states.push(object([
                ("function", function.into()),
                ("call", step.get("call").cloned().unwrap_or(Value::Null)),
                ("outcome", outcome),
                ("host", host.clone()),
            ]));
        }
    }
}

/// What the replies of several calls come to that were made at once.
fn together(branches: &[Value]) -> Value {
    let replies = branches.iter().filter_map(|steps| {
        let Value::List(steps) = steps else {
            return None;
        };
        let reply = steps.last()?.get("reply")?;
        Some(reply.get("body")?.as_text()?.to_owned())
    });
    let replies: Vec<String> = replies.collect();
    let body = format!("{{\"replies\":[{}]}}", replies.join(","));
    object([
        ("kind", "answered".into()),
        ("status", 200_u32.into()),
        ("body", body.as_str().into()),
        ("replayed", false.into()),
    ])
}

/// The content of a finding's file: an input with what it is.
pub(crate) fn entry(target: &str, name: &str, input: &Value) -> Value {
    object([
        ("target", target.into()),
        ("name", name.into()),
        ("input", input.clone()),
    ])
}

/// Reads a finding's file: the target and the input.
pub(crate) fn read_entry(path: &Path) -> Result<(&'static Target, Value)> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let entry = serde_json::from_str(&text).map(value);
    let entry = entry.with_context(|| format!("{} is not JSON", path.display()))?;
    let name = entry.get("target").and_then(Value::as_text);
    let target = TARGETS.iter().find(|target| Some(target.name) == name);
    let target = target.with_context(|| format!("{} names no target", path.display()))?;
    Ok((target, entry.get("input").cloned().unwrap_or(Value::Null)))
}

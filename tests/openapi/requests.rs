//! Request bodies made from their JSON Schema: valid ones, and ones with a fault or two.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

/// Bodies that mostly, but not always, are what the schema asks for.
pub(crate) fn bodies(schema: &Value, known: &[Value]) -> BoxedStrategy<Value> {
    let sound = value(schema, known);
    let faulty = (sound.clone(), fault(), any::<prop::sample::Index>());
    prop_oneof![
        3 => sound,
        2 => faulty.prop_map(|(body, fault, at)| spoil(body, &fault, at)),
        1 => junk(),
    ]
    .boxed()
}

/// A value of that schema. `known` are ids and codes that exist; they are chosen where one fits.
fn value(schema: &Value, known: &[Value]) -> BoxedStrategy<Value> {
    // Known are texts, and the schema of an object, or of a list of them, may refer to another one.
    let is_made_of_others = schema["type"] == "object" || schema["type"] == "array";
    let fitting: Vec<Value> = known
        .iter()
        .filter(|value| !is_made_of_others && jsonschema::is_valid(schema, value))
        .cloned()
        .collect();
    let made = made(schema, known);
    if fitting.is_empty() {
        return made;
    }
    prop_oneof![3 => select(fitting), 1 => made].boxed()
}

fn made(schema: &Value, known: &[Value]) -> BoxedStrategy<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return select(words.clone()).boxed();
    }
    if let Some(schemas) = schema["oneOf"].as_array() {
        let made = schemas.iter().map(|schema| value(schema, known));
        return prop::strategy::Union::new(made).boxed();
    }
    let number = |name: &str| schema[name].as_u64();
    match schema["type"].as_str().expect("every schema has a type") {
        "object" => object(schema, known),
        "array" => {
            let most = number("maxItems").map_or(3, |most| most.min(3)) as usize;
            vec(value(&schema["items"], known), 1..=most)
                .prop_map(Value::Array)
                .boxed()
        }
        "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
        "integer" => {
            let (least, most) = (number("minimum"), number("maximum"));
            let (least, most) = (least.unwrap_or(0), most.unwrap_or(u64::MAX));
            prop_oneof![1 => Just(least), 1 => Just(most), 4 => least..=most]
                .prop_map(|number| json!(number))
                .boxed()
        }
        "number" => {
            let least = schema["minimum"].as_f64().unwrap_or(0.0);
            let edges = [least, 0.0, 0.001, 99_999_999_999.999];
            // Mostly as fine as it may be, and as large.
            let fine = (-100_000_i64..100_000).prop_map(|number| number as f64 / 1_000.0);
            let finer = (0.0..20.0_f64).prop_map(|number| (number * 10_000.0).round() / 10_000.0);
            let large = (0_u64..200_000_000_000_000).prop_map(|number| number as f64 / 1_000.0);
            prop_oneof![2 => select(edges.to_vec()), 6 => fine, 1 => finer, 1 => large]
                .prop_map(|number| json!(number))
                .boxed()
        }
        _ => {
            let pattern = schema["pattern"].as_str().expect("texts have a pattern");
            string_regex(pattern.trim_start_matches('^').trim_end_matches('$'))
                .expect("a pattern that proptest reads too")
                .prop_map(Value::String)
                .boxed()
        }
    }
}

fn object(schema: &Value, known: &[Value]) -> BoxedStrategy<Value> {
    let Some(properties) = schema["properties"].as_object() else {
        return vec(("[a-z_]{1,8}", "[ -~]{0,80}"), 0..4)
            .prop_map(|members| {
                let members = members.into_iter();
                members
                    .map(|(name, text)| (name, Value::String(text)))
                    .collect()
            })
            .prop_map(Value::Object)
            .boxed();
    };
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let members: Vec<_> = properties
        .iter()
        .map(|(name, schema)| {
            let name = name.clone();
            let value = value(schema, known);
            let member = if required(&name) {
                value.prop_map(Some).boxed()
            } else {
                prop::option::of(value).boxed()
            };
            member.prop_map(move |value| Some((name.clone(), value?)))
        })
        .collect();
    members
        .prop_map(|members| Value::Object(members.into_iter().flatten().collect()))
        .boxed()
}

#[derive(Clone, Debug)]
enum Fault {
    Remove,
    Replace(Value),
    Add(String, Value),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Remove),
        junk().prop_map(Fault::Replace),
        ("[a-z_/~]{1,12}", junk()).prop_map(|(name, value)| Fault::Add(name, value)),
    ]
}

fn junk() -> BoxedStrategy<Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        (-2.0..20_000.0_f64).prop_map(|number| json!(number)),
        "[ -~]{0,80}".prop_map(Value::String),
        any::<String>().prop_map(Value::String),
    ];
    plain
        .prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::Array),
                vec(("[a-z_]{1,8}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
        .boxed()
}

/// Does it to one member of the body, or of the first item of a list in it.
fn spoil(mut body: Value, fault: &Fault, at: prop::sample::Index) -> Value {
    if let Value::Object(members) = &mut body {
        spoil_member(members, fault, at);
    }
    body
}

fn spoil_member(members: &mut Map<String, Value>, fault: &Fault, at: prop::sample::Index) {
    if let Fault::Add(name, value) = fault {
        members.insert(name.clone(), value.clone());
        return;
    }
    let names: Vec<String> = members.keys().cloned().collect();
    let Some(name) = (!names.is_empty()).then(|| at.get(&names)) else {
        return;
    };
    let first = members.get_mut(name).and_then(|member| member.get_mut(0));
    if let (Some(Value::Object(item)), true) = (first, at.index(2) == 0) {
        return spoil_member(item, fault, at);
    }
    match fault {
        Fault::Replace(value) => members.insert(name.clone(), value.clone()),
        _ => members.remove(name),
    };
}

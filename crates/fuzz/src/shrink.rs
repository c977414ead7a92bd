//! Makes an input smaller for as long as it keeps a property.

use interlock_domain::json::{Codec as _, SerdeJson, Value};

/// Enough for inputs of this size; a larger rest is still a finding.
const MAX_TRIES: usize = 2_000;

/// The smallest input with the property that leaving parts out leads to.
pub(crate) fn shrink(mut input: Value, holds: &dyn Fn(&Value) -> bool) -> Value {
    let mut tries = 0;
    loop {
        let smaller = candidates(&input).into_iter().find(|candidate| {
            tries += 1;
            tries <= MAX_TRIES && holds(candidate)
        });
        match smaller {
            Some(smaller) => input = smaller,
            None => return input,
        }
    }
}

/// Every input that is this one with a part left out, those without the largest parts first.
fn candidates(input: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    grow(input, &|value| value, &mut all);
    let size = |value: &Value| SerdeJson.write(value).len();
    let own = size(input);
    let mut sized: Vec<_> = all.into_iter().map(|value| (size(&value), value)).collect();
    sized.retain(|(size, _)| *size < own);
    sized.sort_by_key(|(size, _)| *size);
    sized.into_iter().map(|(_, value)| value).collect()
}

/// Adds the smaller forms of `value`, each put into its place by `within`.
fn grow(value: &Value, within: &dyn Fn(Value) -> Value, all: &mut Vec<Value>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) => all.push(within(Value::Number(0.0))),
        Value::Text(text) => all.extend(shorter(text).into_iter().map(|text| within(text.into()))),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let mut fewer = items.clone();
                fewer.remove(index);
                all.push(within(Value::List(fewer)));
                let put = |item| {
                    let mut items = items.clone();
                    items[index] = item;
                    within(Value::List(items))
                };
                grow(item, &put, all);
            }
        }
        Value::Object(members) => {
            for (index, (_, member)) in members.iter().enumerate() {
                let mut fewer = members.clone();
                fewer.remove(index);
                all.push(within(Value::Object(fewer)));
                let put = |member| {
                    let mut members = members.clone();
                    members[index].1 = member;
                    within(Value::Object(members))
                };
                grow(member, &put, all);
            }
        }
    }
}

/// A text without one of its halves, quarters and so on.
fn shorter(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    let mut width = chars.len();
    while width > 0 && all.len() < 64 {
        for start in (0..chars.len()).step_by(width) {
            let end = chars.len().min(start + width);
            all.push(chars[..start].iter().chain(&chars[end..]).collect());
        }
        width /= 2;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let input = SerdeJson
            .parse(r#"{"a":[1,{"b":"xxxxneedlexxxx"}],"c":"y"}"#)
            .expect("JSON");
        let holds = |value: &Value| SerdeJson.write(value).contains("needle");
        assert_eq!(
            SerdeJson.write(&shrink(input, &holds)),
            r#"{"a":[{"b":"needle"}]}"#
        );
    }
}

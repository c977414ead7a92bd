//! Makes an input smaller for as long as it keeps a property.

use interlock_domain::json::Value;

/// Enough for the inputs that are usual; a larger rest is still a finding.
const MAX_TRIES: usize = 2_000;

/// Leaves out part after part, from the largest on, and keeps what still has the property.
pub(crate) fn shrink(mut input: Value, holds: &dyn Fn(&Value) -> bool) -> Value {
    let (mut index, mut kept_since) = (0, false);
    for _ in 0..MAX_TRIES {
        let mut smaller = input.clone();
        if !leave_out(&mut smaller, &mut index.clone()) {
            if !kept_since {
                break;
            }
            (index, kept_since) = (0, false);
        } else if holds(&smaller) {
            (input, kept_since) = (smaller, true);
        } else {
            index += 1;
        }
    }
    input
}

/// Leaves out the part at that index: the parts of a value come before those of its parts.
fn leave_out(value: &mut Value, index: &mut usize) -> bool {
    let parts = match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => usize::from(*number != 0.0),
        Value::Text(text) => cuts(text.chars().count()).len(),
        Value::List(items) => items.len(),
        Value::Object(members) => members.len(),
    };
    if let Some(beyond) = index.checked_sub(parts) {
        *index = beyond;
        return match value {
            Value::List(items) => items.iter_mut().any(|item| leave_out(item, index)),
            Value::Object(members) => members
                .iter_mut()
                .any(|(_, member)| leave_out(member, index)),
            _ => false,
        };
    }
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => *number = 0.0,
        Value::Text(text) => {
            let (from, to) = cuts(text.chars().count())[*index];
            let chars = text.chars().enumerate();
            *text = chars
                .filter(|(at, _)| !(from..to).contains(at))
                .map(|(_, char)| char)
                .collect();
        }
        Value::List(items) => drop(items.remove(*index)),
        Value::Object(members) => drop(members.remove(*index)),
    }
    true
}

/// All of a text of that length, its halves, its quarters and so on.
fn cuts(length: usize) -> Vec<(usize, usize)> {
    let mut cuts = Vec::new();
    let mut width = length;
    while width > 0 && cuts.len() < 64 {
        let starts = (0..length).step_by(width);
        cuts.extend(starts.map(|start| (start, length.min(start + width))));
        width /= 2;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::TURN;
    use interlock_domain::json::{Codec as _, SerdeJson};
    use std::cell::Cell;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let _turn = TURN.lock();
        let input = SerdeJson
            .parse(r#"{"a":[1,{"b":"xxxxneedlexxxx"}],"c":"y"}"#)
            .expect("JSON");
        let holds = |value: &Value| SerdeJson.write(value).contains("needle");
        assert_eq!(
            SerdeJson.write(&shrink(input, &holds)),
            r#"{"a":[{"b":"needle"}]}"#
        );
    }

    #[test]
    fn it_ends_however_large_the_input() {
        let _turn = TURN.lock();
        let tries = Cell::new(0);
        let large = Value::List(vec![Value::Null; 20_000]);
        shrink(large, &|_| {
            tries.set(tries.get() + 1);
            true
        });
        assert!(tries.get() <= MAX_TRIES);
    }
}

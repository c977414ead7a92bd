//! A statement as it is run, and as a page shows it: the same without ids, which say nothing to anybody.

use serde_json::Value;

/// As long may a text be to be shown.
const LONGEST: usize = 20;

/// A statement that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sql {
    pub(super) run: String,
    pub(super) shown: String,
}

impl Sql {
    /// Adds what stands as it is.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.run += text;
        self.shown += text;
        self
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: &Value) -> &mut Self {
        self.run += &literal(&Self::written(value));
        self.shown += &literal(&Self::written(&short(value)));
        self
    }

    /// A value in words.
    pub(super) fn word(value: &Value) -> String {
        match Self::written(&short(value)) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// A number or null as it is, all else as a text.
    fn written(value: &Value) -> Value {
        match value {
            Value::Number(number) => match number.as_f64() {
                // Of a column that may have a fraction, and has none.
                Some(whole) if whole.fract() == 0.0 => Value::from(whole as i64),
                _ => value.clone(),
            },
            Value::Null | Value::String(_) => value.clone(),
            _ => Value::from(value.to_string()),
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// The same where each long text in it is a dot or three.
fn short(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > LONGEST => Value::from("…"),
        Value::Array(all) => all.iter().map(short).collect(),
        Value::Object(all) => {
            let all = all.iter().map(|(name, value)| (name.clone(), short(value)));
            Value::Object(all.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_shown_is_what_is_run_without_ids() {
        let mut sql = Sql::default();
        let cart = json!([{ "product_id": "0192a1b2-0000-7000-8000-000000000000", "quantity": 1 }]);
        sql.text("select f(")
            .value(&cart)
            .text(", ")
            .value(&json!("it's"));
        sql.text(", ")
            .value(&json!(99.0))
            .text(", ")
            .value(&Value::Null)
            .text(")");
        assert_eq!(
            sql.shown,
            r#"select f('[{"product_id":"…","quantity":1}]', 'it''s', 99, null)"#
        );
        assert_eq!(
            sql.run,
            r#"select f('[{"product_id":"0192a1b2-0000-7000-8000-000000000000","quantity":1}]', 'it''s', 99, null)"#
        );
    }
}

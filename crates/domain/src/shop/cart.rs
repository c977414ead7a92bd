//! The lines of a cart, as `checkout` and `promo-validate` take them.

use crate::fields::Fields;
use crate::json::{Value, object};

/// Lines of one cart at the most.
const MAX_LINES: usize = 100;

/// Units of one line at the most.
const MAX_QUANTITY: u32 = 10_000;

/// Reads a list of `{product_id, quantity, expected_unit_price?}`. Lines of one product are summed by the database.
pub fn read_lines(fields: &mut Fields, name: &str) -> Option<Value> {
    let lines = fields.list(name, 1..=MAX_LINES, |line| {
        line.require("product_id");
        let product_id = line.uuid("product_id").map_or(Value::Null, Value::from);
        line.require("quantity");
        let quantity = line.integer("quantity", 1..=MAX_QUANTITY);
        let quantity = quantity.map_or(Value::Null, Value::from);
        let mut read = object([("product_id", product_id), ("quantity", quantity)]);
        if let Some(price) = line.amount("expected_unit_price")
            && let Value::Object(members) = &mut read
        {
            members.push(("expected_unit_price".to_owned(), price.into()));
        }
        read
    });
    lines.map(Value::List)
}

/// How many different products there are in lines that were read. There are few lines, and looking
/// through them is less code than a set.
pub fn count_products(lines: &Value) -> usize {
    let Value::List(lines) = lines else { return 0 };
    let ids = lines.iter().map(|line| line.get("product_id")?.as_text());
    let ids: Vec<_> = ids.collect();
    let is_first = |index: &usize| !ids[..*index].contains(&ids[*index]);
    (0..ids.len()).filter(is_first).count()
}

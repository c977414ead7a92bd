//! What a function's request may contain, told by the code that reads it.
//!
//! [`fields`] lets a function read an empty request and notes every question it asks. So there is no
//! second list of fields that could differ from the first, and what WASM runs carries none of it.

use crate::fields::Fields;
use crate::function::Function;
use crate::rule::Rule;
use std::cell::RefCell;
use std::rc::Rc;

/// One field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The object that has it: empty for the body, `/cart_items` for each item of that list.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// What it must be.
    pub rule: Rule,
    /// Whether it must be there.
    pub required: bool,
}

/// The fields of a function's request, in the order in which it reads them; none of a text that is only passed on.
pub fn fields(function: &Function) -> Vec<Field> {
    let Some(read) = function.reader() else {
        return Vec::new();
    };
    let notes = Notes::default();
    // An empty request lacks what is required; what it is refused for is of no interest here.
    let _ = read(Fields::noted(notes.clone()));
    let notes = notes.0.borrow();
    let is_required = |field: &&Field| {
        let place = (field.parent.clone(), field.name.clone());
        notes.required.contains(&place)
    };
    let described = notes.fields.iter().map(|field| Field {
        required: is_required(&field),
        ..field.clone()
    });
    described.collect()
}

/// The questions noted so far; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Rc<RefCell<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    fields: Vec<Field>,
    required: Vec<(String, String)>,
}

impl Notes {
    pub(crate) fn add(&self, parent: &str, name: &str, rule: Rule) {
        self.0.borrow_mut().fields.push(Field {
            parent: parent.to_owned(),
            name: name.to_owned(),
            rule,
            required: false,
        });
    }

    pub(crate) fn require(&self, parent: &str, name: &str) {
        let place = (parent.to_owned(), name.to_owned());
        self.0.borrow_mut().required.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::checkout::CHECKOUT;

    #[test]
    fn a_reader_tells_its_fields_with_their_rules_and_those_of_list_items() {
        let told: Vec<_> = fields(&CHECKOUT)
            .into_iter()
            .map(|field| (format!("{}/{}", field.parent, field.name), field.required))
            .collect();
        let expected = [
            ("/cart_items", true),
            ("/cart_items/product_id", true),
            ("/cart_items/quantity", true),
            ("/cart_items/expected_unit_price", false),
            ("/promo_code", false),
            ("/cart_id", false),
            ("/payment_method", false),
            ("/expected_total", false),
            ("/shipping_address", false),
            ("/contact", false),
            ("/metadata", false),
            ("/shipping_method", false),
            ("/wallet_amount", false),
            ("/on_behalf_of", false),
            ("/reservation_id", false),
        ];
        assert_eq!(
            told,
            expected.map(|(name, required)| (name.to_owned(), required))
        );
    }
}

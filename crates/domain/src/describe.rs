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

/// What is read by one of the words of [`Fields::by_word`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The word.
    pub word: &'static str,
    /// The fields, without the one that has the word.
    pub fields: Vec<Field>,
}

/// What a function reads by each of the words of [`Fields::by_word`]; nothing if it always reads the same.
pub fn variants(function: &Function) -> Vec<Variant> {
    let notes = note(function);
    let notes = notes.0.borrow();
    let words = notes.variants.iter();
    words
        .map(|(word, noted)| Variant {
            word,
            fields: noted.fields(),
        })
        .collect()
}

/// The fields of a function's request, in the order in which it reads them; none of a text that is only passed on.
/// What is read by a word is among them, once, and required if it is by every word.
pub fn fields(function: &Function) -> Vec<Field> {
    let notes = note(function);
    let notes = notes.0.borrow();
    let mut fields = notes.common.fields();
    let variants: Vec<Vec<Field>> = notes
        .variants
        .iter()
        .map(|(_, noted)| noted.fields())
        .collect();
    let is_at = |field: &Field| {
        let place = (field.parent.clone(), field.name.clone());
        move |other: &&Field| (&other.parent, &other.name) == (&place.0, &place.1)
    };
    for field in variants.iter().flatten() {
        if !fields.iter().any(|known| is_at(field)(&known)) {
            let required = variants.iter().all(|fields| {
                fields
                    .iter()
                    .find(is_at(field))
                    .is_some_and(|field| field.required)
            });
            fields.push(Field {
                required,
                ..field.clone()
            });
        }
    }
    fields
}

/// Lets a function read an empty request.
fn note(function: &Function) -> Notes {
    let notes = Notes::default();
    if let Some(read) = function.reader() {
        // It lacks what is required; what it is refused for is of no interest here.
        let _ = read(Fields::noted(notes.clone()));
    }
    notes
}

/// The questions noted so far; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Rc<RefCell<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    common: Asked,
    /// What was asked by each word; the last one is being read.
    variants: Vec<(&'static str, Asked)>,
}

#[derive(Debug, Default)]
struct Asked {
    fields: Vec<Field>,
    required: Vec<(String, String)>,
}

impl Asked {
    fn fields(&self) -> Vec<Field> {
        let is_required = |field: &Field| {
            let place = (field.parent.clone(), field.name.clone());
            self.required.contains(&place)
        };
        let described = self.fields.iter().map(|field| Field {
            required: is_required(field),
            ..field.clone()
        });
        described.collect()
    }
}

impl Noted {
    fn asked(&mut self) -> &mut Asked {
        match self.variants.last_mut() {
            Some((_, asked)) => asked,
            None => &mut self.common,
        }
    }
}

impl Notes {
    /// From here on it is read as that word says.
    pub(crate) fn begin(&self, word: &'static str) {
        let variant = (word, Asked::default());
        self.0.borrow_mut().variants.push(variant);
    }

    pub(crate) fn add(&self, parent: &str, name: &str, rule: Rule) {
        self.0.borrow_mut().asked().fields.push(Field {
            parent: parent.to_owned(),
            name: name.to_owned(),
            rule,
            required: false,
        });
    }

    pub(crate) fn require(&self, parent: &str, name: &str) {
        let place = (parent.to_owned(), name.to_owned());
        self.0.borrow_mut().asked().required.push(place);
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

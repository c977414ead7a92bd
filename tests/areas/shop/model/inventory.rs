//! Stock in a store, and changes of it there and in the web shop together.

use super::{Done, Shop, expect};
use crate::areas::promo::model::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The location of the web shop.
pub(crate) const ONLINE: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001);

/// A product in a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) product: Uuid,
    pub(crate) location: Uuid,
    /// In thousandths, as all quantities here.
    pub(crate) quantity: i64,
    /// How often it was changed, and one.
    pub(crate) version: i64,
}

/// What is done to stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Adjust,
    Receive,
    Set,
    /// Counting began before there was anything: all that is there came since.
    Count,
}

impl Action {
    /// As it is written, with the member that has the amount.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Adjust => ("adjust", "delta"),
            Self::Receive => ("receive", "quantity"),
            Self::Set => ("set", "quantity"),
            Self::Count => ("count", "counted"),
        }
    }
}

/// What a line expects to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Version(i64),
    Quantity(i64),
}

/// One line of a request: the inventory id, an amount, and what is expected.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) stock: Uuid,
    pub(crate) amount: i64,
    pub(crate) expected: Option<Expected>,
}

/// A quantity as it is written.
pub(crate) fn number(thousandths: i64) -> Value {
    match thousandths % 1000 {
        0 => json!(thousandths / 1000),
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        _ => json!(thousandths as f64 / 1000.0),
    }
}

/// Where a stock is, and how much of it there is. The version of the web shop's is a number that nobody can foretell.
struct Place {
    product: Uuid,
    location: Uuid,
    quantity: i64,
    version: Option<i64>,
}

impl Place {
    fn version(&self, changes: i64) -> Value {
        self.version
            .map_or_else(|| json!("*"), |version| json!(version + changes))
    }
}

impl Shop {
    fn place(&self, stock: Uuid) -> Place {
        match self.stores.get(&stock) {
            Some(held) => Place {
                product: held.product,
                location: held.location,
                quantity: held.quantity,
                version: Some(held.version),
            },
            None => Place {
                product: stock,
                location: ONLINE,
                quantity: self.stock[&stock] * 1000,
                version: None,
            },
        }
    }

    /// What each stock comes to, in the order in which they are named.
    fn targets(&self, action: Action, lines: &[Line]) -> Vec<(Uuid, i64)> {
        let mut sums: BTreeMap<Uuid, i64> = BTreeMap::new();
        let mut order = Vec::new();
        for line in lines {
            if !sums.contains_key(&line.stock) {
                order.push(line.stock);
            }
            *sums.entry(line.stock).or_default() += line.amount;
        }
        order
            .into_iter()
            .map(|stock| match action {
                Action::Set => (stock, sums[&stock]),
                _ => (stock, self.place(stock).quantity + sums[&stock]),
            })
            .collect()
    }

    pub(super) fn shortage_at(&self, stock: Uuid, requested: i64) -> Value {
        let place = self.place(stock);
        json!({
            "inventory_id": stock, "product_id": place.product, "location_id": place.location,
            "requested": number(requested), "available": number(place.quantity),
        })
    }

    /// Why stock cannot be changed so.
    pub(super) fn inventory_refusals(&self, action: Action, lines: &[Line]) -> Vec<Refusal> {
        let conflicts: Vec<Value> = lines
            .iter()
            .enumerate()
            .filter_map(|(number_of_line, line)| {
                let place = self.place(line.stock);
                let (version, quantity) = match line.expected? {
                    Expected::Version(version) if place.version != Some(version) => {
                        (json!(version), Value::Null)
                    }
                    Expected::Quantity(quantity) if place.quantity != quantity => {
                        (Value::Null, number(quantity))
                    }
                    _ => return None,
                };
                Some(json!({
                    "line": number_of_line, "inventory_id": line.stock, "product_id": place.product,
                    "location_id": place.location, "expected_version": version, "expected_quantity": quantity,
                    "version": place.version(0), "quantity": number(place.quantity),
                }))
            })
            .collect();
        if !conflicts.is_empty() {
            return vec![("VERSION_CONFLICT", json!({ "conflicts": conflicts }))];
        }
        let short: Vec<Value> = self
            .targets(action, lines)
            .into_iter()
            .filter(|(_, target)| *target < 0)
            .map(|(stock, target)| self.shortage_at(stock, self.place(stock).quantity - target))
            .collect();
        match short.is_empty() {
            true => Vec::new(),
            false => vec![("INSUFFICIENT_INVENTORY", json!({ "shortages": short }))],
        }
    }

    /// Stock was changed.
    pub(super) fn inventory_changed(&self, action: Action, lines: &[Line], body: &Value) -> Done {
        if !self.inventory_refusals(action, lines).is_empty() {
            return Err("the stock is not what was expected, or not enough");
        }
        let mut next = self.clone();
        let mut told = Vec::new();
        for (stock, target) in self.targets(action, lines) {
            let place = self.place(stock);
            let changes = i64::from(target != place.quantity);
            told.push(json!({
                "inventory_id": stock, "product_id": place.product, "location_id": place.location,
                "old_quantity": number(place.quantity), "new_quantity": number(target),
                "version": place.version(changes),
            }));
            next.put(stock, target, changes);
        }
        let (name, _) = action.names();
        expect(
            json!({ "success": true, "action": name, "lines": told }),
            body,
        )?;
        Ok(Some(vec![next]))
    }

    /// Whether there is so much of a stock.
    pub(super) fn has(&self, stock: Uuid, quantity: i64) -> bool {
        self.place(stock).quantity >= quantity
    }

    /// How much of a stock there is.
    pub(super) fn quantity_at(&self, stock: Uuid) -> i64 {
        self.place(stock).quantity
    }

    /// Changes a stock by so much, and tells of it.
    pub(super) fn move_stock_at(&mut self, stock: Uuid, change: i64) -> Value {
        let place = self.place(stock);
        self.put(stock, place.quantity + change, 1);
        json!({
            "inventory_id": stock, "product_id": place.product, "location_id": place.location,
            "old_quantity": number(place.quantity), "new_quantity": number(place.quantity + change),
            "version": place.version(1),
        })
    }

    fn put(&mut self, stock: Uuid, quantity: i64, changes: i64) {
        if let Some(held) = self.stores.get_mut(&stock) {
            held.quantity = quantity;
            held.version += changes;
        } else {
            self.stock.insert(stock, quantity / 1000);
        }
    }

    /// Why a till cannot sell so much.
    pub(super) fn sale_refusals(&self, stock: Uuid, quantity: i64) -> Vec<Refusal> {
        match self.place(stock).quantity < quantity {
            true => {
                let short = [self.shortage_at(stock, quantity)];
                vec![("INSUFFICIENT_INVENTORY", json!({ "shortages": short }))]
            }
            false => Vec::new(),
        }
    }

    /// A till has sold.
    pub(super) fn sold_at_till(&self, stock: Uuid, quantity: i64, body: &Value) -> Done {
        let left = self.place(stock).quantity - quantity;
        if left < 0 {
            return Err("there is not so much in stock");
        }
        let sold = json!({
            "success": true, "inventory_id": stock, "deducted": number(quantity),
            "old_quantity": number(left + quantity), "new_quantity": number(left),
        });
        expect(sold, body)?;
        let mut next = self.clone();
        next.put(stock, left, 1);
        Ok(Some(vec![next]))
    }

    /// What is where, in the order asked for.
    pub(super) fn inventory_seen(&self, stocks: &[Uuid]) -> Value {
        let lines: Vec<Value> = stocks
            .iter()
            .map(|stock| {
                let place = self.place(*stock);
                json!({
                    "inventory_id": stock, "product_id": place.product, "location_id": place.location,
                    "quantity": number(place.quantity), "version": place.version(0),
                })
            })
            .collect();
        json!({ "success": true, "lines": lines })
    }

    /// Quantity and version of what is in the store.
    pub(super) fn store_books(&self) -> Value {
        let stores = self.stores.iter();
        let stores =
            stores.map(|(id, held)| (id.to_string(), json!([number(held.quantity), held.version])));
        Value::Object(stores.collect())
    }
}

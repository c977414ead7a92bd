//! Sales that tills have put aside.

use super::inventory::number;
use super::sales::sums;
use super::{Done, Shop, expect, uuid};
use crate::areas::promo::model::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fate {
    Waits,
    Resumed,
    Sold,
    Discarded,
}

impl Fate {
    /// As it is written.
    fn name(self) -> &'static str {
        match self {
            Self::Waits => "parked",
            Self::Resumed => "resumed",
            Self::Sold => "sold",
            Self::Discarded => "discarded",
        }
    }

    fn is_end(self) -> bool {
        matches!(self, Self::Sold | Self::Discarded)
    }
}

/// A cart that waits, with what it keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Parked {
    location: Uuid,
    register: Uuid,
    /// Stock, and how much of it in thousandths.
    lines: Vec<(Uuid, i64)>,
    hold: bool,
    held: BTreeMap<Uuid, i64>,
    fate: Fate,
    sale: Option<Uuid>,
}

/// What is asked of a till that puts a cart aside.
#[derive(Clone, Debug)]
pub(crate) struct Park {
    pub(crate) register: Uuid,
    pub(crate) lines: Vec<(Uuid, i64)>,
    pub(crate) hold: bool,
    /// One that it has resumed, and parks again.
    pub(crate) again: Option<Uuid>,
    pub(crate) reference: Option<String>,
}

/// Lines as they are sent.
pub(crate) fn lines_in_json(lines: &[(Uuid, i64)]) -> Value {
    let lines = lines.iter();
    let lines = lines
        .map(|(stock, quantity)| json!({ "inventory_id": stock, "quantity": number(*quantity) }));
    lines.collect()
}

impl Shop {
    /// A parked sale that a till may go on with.
    fn claim(&self, id: Uuid, register: Uuid) -> Result<Parked, Refusal> {
        let location = self.tills.registers[&register].location;
        let parked = self.tills.parked.get(&id);
        let Some(parked) = parked.filter(|parked| parked.location == location) else {
            return Err(("PARKED_SALE_NOT_FOUND", json!({ "parked_sale_id": id })));
        };
        if parked.fate.is_end() {
            return Err(Self::has_ended(id, parked));
        }
        if parked.fate == Fate::Resumed && parked.register != register {
            let details = json!({
                "parked_sale_id": id, "register_id": parked.register, "resumed_at": "*",
            });
            return Err(("PARKED_SALE_TAKEN", details));
        }
        Ok(parked.clone())
    }

    fn has_ended(id: Uuid, parked: &Parked) -> Refusal {
        let status = parked.fate.name();
        let details = json!({ "parked_sale_id": id, "status": status, "sale_id": parked.sale });
        ("PARKED_SALE_ENDED", details)
    }

    /// A till sells what it had parked: what it keeps, to be given back.
    pub(super) fn take_parked(
        &mut self,
        id: Uuid,
        register: Uuid,
    ) -> Result<BTreeMap<Uuid, i64>, Refusal> {
        let mut parked = self.claim(id, register)?;
        let held = std::mem::take(&mut parked.held);
        (parked.register, parked.fate) = (register, Fate::Sold);
        self.tills.parked.insert(id, parked);
        Ok(held)
    }

    /// The sale that it has become.
    pub(super) fn parked_became(&mut self, id: Uuid, sale: Uuid) {
        if let Some(parked) = self.tills.parked.get_mut(&id) {
            parked.sale = Some(sale);
        }
    }

    /// The shop and the cart after it was put aside, or why it is not.
    fn put_aside(&self, asked: &Park) -> Result<(Self, Parked), Refusal> {
        let mut next = self.clone();
        if let Some(id) = asked.again {
            let before = self.claim(id, asked.register)?;
            next.give(before.held);
        }
        let goods = sums(asked.lines.iter().copied());
        if asked.hold {
            next.take(goods.clone())?;
        }
        let parked = Parked {
            location: self.tills.registers[&asked.register].location,
            register: asked.register,
            lines: asked.lines.clone(),
            hold: asked.hold,
            held: if asked.hold { goods } else { BTreeMap::new() },
            fate: Fate::Waits,
            sale: None,
        };
        Ok((next, parked))
    }

    /// Why a till does not put a cart aside.
    pub(super) fn park_refusals(&self, asked: &Park) -> Vec<Refusal> {
        // A look without a lock, in the order of the lines; unless something is given back first.
        let looked = (asked.hold && asked.again.is_none())
            .then(|| self.looks_short(&asked.lines))
            .flatten();
        let refused = self.put_aside(asked).err();
        looked.into_iter().chain(refused).collect()
    }

    /// A cart was put aside.
    pub(super) fn parked(&self, asked: &Park, body: &Value) -> Done {
        let Ok((mut next, parked)) = self.put_aside(asked) else {
            return Err("what was asked must be refused");
        };
        let id = uuid(&body["parked_sale"]["id"]).ok_or("a parked sale without an id")?;
        if asked.again.is_some_and(|again| again != id) {
            return Err("another parked sale");
        }
        expect(Self::parked_answer(id, &parked), body)?;
        if next.tills.parked.insert(id, parked).is_some() && asked.again.is_none() {
            return Err("a parked sale that there is already");
        }
        Ok(Some(vec![next]))
    }

    /// Why a till does not go on with a parked sale.
    pub(super) fn resume_refusals(&self, id: Uuid, register: Uuid) -> Vec<Refusal> {
        self.claim(id, register).err().into_iter().collect()
    }

    /// A till has it alone.
    pub(super) fn resumed(&self, id: Uuid, register: Uuid, body: &Value) -> Done {
        let Ok(mut parked) = self.claim(id, register) else {
            return Err("it must not be had");
        };
        (parked.register, parked.fate) = (register, Fate::Resumed);
        expect(Self::parked_answer(id, &parked), body)?;
        let mut next = self.clone();
        next.tills.parked.insert(id, parked);
        Ok(Some(vec![next]))
    }

    /// Why a parked sale is not given up.
    pub(super) fn discard_refusals(&self, id: Uuid) -> Vec<Refusal> {
        match self.tills.parked.get(&id) {
            None => vec![("PARKED_SALE_NOT_FOUND", json!({ "parked_sale_id": id }))],
            Some(parked) if parked.fate == Fate::Sold => vec![Self::has_ended(id, parked)],
            Some(_) => Vec::new(),
        }
    }

    /// A parked sale was given up, or had been: what it kept is on the shelf.
    pub(super) fn discarded(&self, id: Uuid, body: &Value) -> Done {
        if !self.discard_refusals(id).is_empty() {
            return Err("it must not be given up");
        }
        let mut parked = self.tills.parked[&id].clone();
        let mut next = self.clone();
        next.give(std::mem::take(&mut parked.held));
        parked.fate = Fate::Discarded;
        expect(Self::parked_answer(id, &parked), body)?;
        next.tills.parked.insert(id, parked);
        Ok(Some(vec![next]))
    }

    fn parked_answer(id: Uuid, parked: &Parked) -> Value {
        json!({ "success": true, "parked_sale": {
            "id": id, "location_id": parked.location, "register_id": parked.register, "name": "test",
            "lines": lines_in_json(&parked.lines), "customer_id": null, "hold": parked.hold,
            "status": parked.fate.name(), "parked_at": "*", "expires_at": "*", "sale_id": parked.sale,
        } })
    }

    /// What became of parked sales.
    pub(super) fn parked_books(&self) -> Value {
        let parked = self.tills.parked.iter();
        let parked = parked.map(|(id, parked)| {
            let held: i64 = parked.held.values().sum();
            (id.to_string(), json!([parked.fate.name(), number(held)]))
        });
        Value::Object(parked.collect())
    }
}

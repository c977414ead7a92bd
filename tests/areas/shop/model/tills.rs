//! Tills: shifts with their cash, sales from the stock of a store and of the web shop, voids.

use super::inventory::number;
use super::{Done, Shop, expect, numbers, uuid};
use crate::areas::promo::model::Refusal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What every shift begins with in its drawer.
pub(crate) const OPENING: i64 = 1000;
/// What every customer hands over.
pub(crate) const HANDED: i64 = 100_000;

/// All there is of tills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tills {
    pub(crate) registers: BTreeMap<Uuid, Register>,
    pub(crate) shifts: BTreeMap<Uuid, Shift>,
    pub(crate) sales: BTreeMap<Uuid, Sale>,
}

/// A till.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Register {
    pub(crate) location: Uuid,
    pub(crate) receipts: i64,
    pub(crate) shift: Option<Uuid>,
}

/// The time in which a drawer is somebody's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shift {
    pub(crate) register: Uuid,
    /// What was counted when it was closed.
    pub(crate) counted: Option<i64>,
}

/// What a till has sold, in thousandths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sale {
    register: Uuid,
    shift: Uuid,
    receipt: i64,
    stock: Uuid,
    quantity: i64,
    is_void: bool,
}

impl Shop {
    fn product_of(&self, stock: Uuid) -> Uuid {
        self.stores.get(&stock).map_or(stock, |held| held.product)
    }

    fn price_of(&self, sale: &Sale) -> i64 {
        let product = &self.terms.products[&self.product_of(sale.stock)];
        (sale.quantity * product.price + 500) / 1000
    }

    fn sale_answer(&self, id: Uuid, sale: &Sale) -> Value {
        let product = self.product_of(sale.stock);
        let total = self.price_of(sale);
        json!({ "success": true, "sale": {
            "id": id, "register_id": sale.register, "shift_id": sale.shift,
            "location_id": self.tills.registers[&sale.register].location,
            "receipt_number": sale.receipt, "receipt": format!("{:06}", sale.receipt),
            "status": if sale.is_void { "voided" } else { "completed" }, "currency": "USD",
            "lines": [{
                "line": 0, "product_id": product, "inventory_id": sale.stock, "name": self.terms.products[&product].name,
                "quantity": number(sale.quantity), "unit_price": self.terms.products[&product].price,
                "subtotal": total, "discount": 0, "promo_discount": 0, "tax": 0, "total": total,
            }],
            "returns": [], "subtotal": total, "discount": 0, "tax": 0, "tax_included": 0, "returned": 0, "total": total,
            "tenders": [{ "type": "cash", "amount": HANDED, "reference": null }], "change_due": HANDED - total,
            "customer": null, "promo_code": null, "loyalty": null, "approved_by": null, "sold_at": "*", "recorded_at": "*",
            "offline": false, "late": false, "needs_review": [], "shortfalls": [],
        } })
    }

    /// The sales of a shift that count.
    fn standing(&self, shift: Uuid) -> impl Iterator<Item = &Sale> {
        let sales = self.tills.sales.values();
        sales.filter(move |sale| sale.shift == shift && !sale.is_void)
    }

    fn cash_in(&self, shift: Uuid) -> i64 {
        OPENING
            + self
                .standing(shift)
                .map(|sale| self.price_of(sale))
                .sum::<i64>()
    }

    fn is_closed(&self, shift: Uuid) -> Option<Refusal> {
        let counted = self.tills.shifts[&shift].counted?;
        let details = json!({ "shift_id": shift, "closed_at": "*", "counted_cash": counted });
        Some(("SHIFT_CLOSED", details))
    }

    /// Why a till does not sell so much.
    pub(super) fn till_refusals(&self, register: Uuid, stock: Uuid, quantity: i64) -> Vec<Refusal> {
        let mut refusals = self.sale_refusals(stock, quantity);
        // Who finds too little under the lock is told so as the web shop tells it.
        if !refusals.is_empty() && !self.stores.contains_key(&stock) {
            refusals.extend(self.shortage(&[(stock, quantity / 1000)]));
        }
        if self.tills.registers[&register].shift.is_none() {
            refusals.push(("SHIFT_NOT_OPEN", json!({ "register_id": register })));
        }
        refusals
    }

    /// A till has sold, for cash.
    pub(super) fn till_sold(
        &self,
        register: Uuid,
        stock: Uuid,
        quantity: i64,
        body: &Value,
    ) -> Done {
        if !self.has(stock, quantity) {
            return Err("there is not so much in stock");
        }
        let till = &self.tills.registers[&register];
        let Some(shift) = till.shift else {
            return Err("the till has no open shift");
        };
        let id = uuid(&body["sale"]["id"]).ok_or("a sale without an id")?;
        let sale = Sale {
            register,
            shift,
            receipt: till.receipts + 1,
            stock,
            quantity,
            is_void: false,
        };
        expect(self.sale_answer(id, &sale), body)?;
        let mut next = self.clone();
        next.move_stock_at(stock, -quantity);
        if let Some(till) = next.tills.registers.get_mut(&register) {
            till.receipts += 1;
        }
        if next.tills.sales.insert(id, sale).is_some() {
            return Err("a sale that there is already");
        }
        Ok(Some(vec![next]))
    }

    /// Why a sale cannot be voided.
    pub(super) fn void_refusals(&self, id: Uuid) -> Vec<Refusal> {
        match self.tills.sales.get(&id) {
            None => vec![("SALE_NOT_FOUND", json!({ "sale_id": id }))],
            Some(sale) if sale.is_void => Vec::new(),
            Some(sale) => self.is_closed(sale.shift).into_iter().collect(),
        }
    }

    /// A sale was voided, or was void already.
    pub(super) fn sale_voided(&self, id: Uuid, body: &Value) -> Done {
        if !self.void_refusals(id).is_empty() {
            return Err("there is no such sale, or its shift is closed");
        }
        let mut sale = self.tills.sales[&id].clone();
        let was_void = sale.is_void;
        sale.is_void = true;
        expect(self.sale_answer(id, &sale), body)?;
        if was_void {
            return Ok(None);
        }
        let mut next = self.clone();
        next.move_stock_at(sale.stock, sale.quantity);
        next.tills.sales.insert(id, sale);
        Ok(Some(vec![next]))
    }

    /// Why a till opens no shift.
    pub(super) fn open_refusals(&self, register: Uuid) -> Vec<Refusal> {
        let open = self.tills.registers[&register].shift;
        open.map(|shift| {
            let details = json!({ "register_id": register, "shift_id": shift, "opened_at": "*" });
            ("SHIFT_ALREADY_OPEN", details)
        })
        .into_iter()
        .collect()
    }

    /// A shift was opened.
    pub(super) fn shift_opened(&self, register: Uuid, body: &Value) -> Done {
        if !self.open_refusals(register).is_empty() {
            return Err("the till has an open shift");
        }
        let id = uuid(&body["shift"]["id"]).ok_or("a shift without an id")?;
        let opened = json!({ "success": true, "shift": {
            "id": id, "register_id": register, "opened_at": "*", "opening_cash": OPENING,
        } });
        expect(opened, body)?;
        let mut next = self.clone();
        let shift = Shift {
            register,
            counted: None,
        };
        if next.tills.shifts.insert(id, shift).is_some() {
            return Err("a shift that there is already");
        }
        if let Some(till) = next.tills.registers.get_mut(&register) {
            till.shift = Some(id);
        }
        Ok(Some(vec![next]))
    }

    /// Why a shift cannot be closed with this count.
    pub(super) fn close_refusals(&self, shift: Uuid, counted: i64) -> Vec<Refusal> {
        match self.tills.shifts[&shift].counted {
            Some(already) if already != counted => self.is_closed(shift).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A shift was closed, or had been with the same count: its report is whole.
    pub(super) fn shift_closed(&self, shift: Uuid, counted: i64, body: &Value) -> Done {
        if !self.close_refusals(shift, counted).is_empty() {
            return Err("the shift is closed with another count");
        }
        let Shift {
            register,
            counted: already,
        } = self.tills.shifts[&shift];
        let sales = self.tills.sales.values();
        let receipts = sales
            .filter(|sale| sale.shift == shift)
            .map(|sale| (sale.receipt, sale.is_void));
        let receipts: BTreeMap<i64, bool> = receipts.collect();
        let cash = self.cash_in(shift);
        let closed = json!({ "success": true, "shift": {
            "id": shift, "register_id": register, "opened_at": "*", "closed_at": "*", "opening_cash": OPENING,
            "sales": receipts.values().filter(|is_void| !**is_void).count(),
            "voided": receipts.values().filter(|is_void| **is_void).count(),
            "first_receipt": receipts.keys().next(), "last_receipt": receipts.keys().next_back(),
            "subtotal": cash - OPENING, "discount": 0, "tax": 0, "returns": 0, "returned": 0, "total": cash - OPENING,
            "tenders": { "cash": cash - OPENING, "card": 0, "wallet": 0, "points": 0 }, "parked": "*", "paid_in": 0, "paid_out": 0,
            "expected_cash": cash, "counted_cash": counted, "difference": counted - cash,
        } });
        expect(closed, body)?;
        if already.is_some() {
            return Ok(None);
        }
        let mut next = self.clone();
        if let Some(closed) = next.tills.shifts.get_mut(&shift) {
            closed.counted = Some(counted);
        }
        if let Some(till) = next.tills.registers.get_mut(&register) {
            till.shift = None;
        }
        Ok(Some(vec![next]))
    }

    /// Receipts, open shifts with their cash, and what became of sales.
    pub(super) fn till_books(&self) -> Value {
        let registers = self.tills.registers.iter();
        let receipts = registers
            .clone()
            .map(|(id, register)| (*id, register.receipts));
        let drawers = registers.filter_map(|(_, register)| register.shift);
        let drawers = drawers.map(|shift| (shift, self.cash_in(shift)));
        let sales = self.tills.sales.iter();
        let sales = sales.map(|(id, sale)| {
            let status = if sale.is_void { "voided" } else { "completed" };
            (id.to_string(), json!(status))
        });
        json!({
            "receipts": numbers(&receipts.collect()), "drawers": numbers(&drawers.collect()),
            "sales": sales.collect::<Map<_, _>>(),
        })
    }
}

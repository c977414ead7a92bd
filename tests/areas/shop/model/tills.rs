//! Tills: shifts with their cash.

use super::inventory::number;
use super::parked::Parked;
use super::points::Points;
use super::sales::{Sale, Tender};
use super::{Done, Shop, expect, numbers, uuid};
use crate::areas::promo::model::Refusal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What every shift begins with in its drawer.
pub(crate) const OPENING: i64 = 1000;

/// All there is of tills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tills {
    pub(crate) registers: BTreeMap<Uuid, Register>,
    pub(crate) shifts: BTreeMap<Uuid, Shift>,
    pub(crate) sales: BTreeMap<Uuid, Arc<Sale>>,
    pub(crate) customers: BTreeMap<Uuid, Points>,
    pub(crate) parked: BTreeMap<Uuid, Parked>,
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

impl Shop {
    /// The sales of a shift that count: what has come since it was closed is not in its report.
    fn standing(&self, shift: Uuid) -> impl Iterator<Item = &Arc<Sale>> {
        let sales = self.tills.sales.values();
        sales.filter(move |sale| sale.shift == shift && !sale.is_void && !sale.is_late)
    }

    /// What has come in by a kind of tender.
    fn received(&self, shift: Uuid, kind: Tender) -> i64 {
        self.standing(shift).map(|sale| sale.received(kind)).sum()
    }

    fn cash_in(&self, shift: Uuid) -> i64 {
        OPENING + self.received(shift, Tender::Cash)
    }

    pub(super) fn is_closed(&self, shift: Uuid) -> Option<Refusal> {
        let counted = self.tills.shifts[&shift].counted?;
        let details = json!({ "shift_id": shift, "closed_at": "*", "counted_cash": counted });
        Some(("SHIFT_CLOSED", details))
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
        let of_shift = sales.filter(|sale| sale.shift == shift && !sale.is_late);
        let receipts: BTreeMap<i64, bool> =
            of_shift.map(|sale| (sale.receipt, sale.is_void)).collect();
        let subtotal: i64 = self.standing(shift).map(|sale| sale.subtotal()).sum();
        let returned: i64 = self.standing(shift).map(|sale| sale.returned()).sum();
        let tenders = Tender::ALL.map(|kind| {
            let received = self.received(shift, kind);
            (kind.name().to_owned(), json!(received))
        });
        let mut tenders: Map<_, _> = tenders.into_iter().collect();
        tenders.insert("wallet".to_owned(), json!(0));
        let cash = self.cash_in(shift);
        let closed = json!({ "success": true, "shift": {
            "id": shift, "register_id": register, "opened_at": "*", "closed_at": "*", "opening_cash": OPENING,
            "sales": self.standing(shift).filter(|sale| !sale.lines.is_empty()).count(),
            "returns": self.standing(shift).filter(|sale| sale.original().is_some()).count(),
            "voided": receipts.values().filter(|is_void| **is_void).count(),
            "first_receipt": receipts.keys().next(), "last_receipt": receipts.keys().next_back(),
            "subtotal": subtotal, "discount": 0, "tax": 0, "returned": returned, "total": subtotal - returned,
            "tenders": tenders, "parked": "*", "paid_in": 0, "paid_out": 0,
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

    /// Receipts, open shifts with their cash, what became of sales, and points.
    pub(super) fn till_books(&self) -> Value {
        let registers = self.tills.registers.iter();
        let receipts = registers
            .clone()
            .map(|(id, register)| (*id, register.receipts));
        let drawers = registers.filter_map(|(_, register)| register.shift);
        let drawers = drawers.map(|shift| (shift, self.cash_in(shift)));
        let sales = self.tills.sales.iter();
        let sales = sales.map(|(id, sale)| {
            (
                id.to_string(),
                json!([sale.status(), number(sale.came_back())]),
            )
        });
        let points = self.tills.customers.iter();
        let points =
            points.map(|(id, points)| (id.to_string(), json!([points.balance, points.owed])));
        json!({
            "receipts": numbers(&receipts.collect()), "drawers": numbers(&drawers.collect()),
            "parked": self.parked_books(), "sales": sales.collect::<Map<_, _>>(), "points": points.collect::<Map<_, _>>(),
        })
    }
}

//! Sales at tills, from the stock of a store and of the web shop, and voids.

use super::inventory::number;
use super::points::Loyalty;
use super::{Done, Product, Shop, expect, uuid};
use crate::areas::promo::model::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// How a sale is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tender {
    Cash,
    Card,
    Points,
}

impl Tender {
    pub(crate) const ALL: [Self; 3] = [Self::Cash, Self::Card, Self::Points];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
            Self::Points => "points",
        }
    }
}

/// What is asked of a till.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) register: Uuid,
    /// Stock, and how much of it in thousandths.
    pub(crate) lines: Vec<(Uuid, i64)>,
    pub(crate) customer: Option<Uuid>,
    pub(crate) tenders: Vec<(Tender, i64)>,
    pub(crate) key: Option<String>,
}

/// What of a sale is of one stock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(super) stock: Uuid,
    /// In thousandths.
    quantity: i64,
    pub(super) total: i64,
}

/// What a till has sold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sale {
    register: Uuid,
    pub(super) shift: Uuid,
    pub(super) receipt: i64,
    pub(super) lines: Vec<Line>,
    pub(super) customer: Option<Uuid>,
    pub(super) loyalty: Option<Loyalty>,
    tenders: Vec<(Tender, i64)>,
    change: i64,
    pub(super) is_void: bool,
}

impl Sale {
    /// What its lines cost.
    pub(super) fn subtotal(&self) -> i64 {
        self.lines.iter().map(|line| line.total).sum()
    }

    /// What has come in by a kind of tender, less the change.
    pub(super) fn received(&self, kind: Tender) -> i64 {
        let tenders = self.tenders.iter().filter(|(tender, _)| *tender == kind);
        let amounts: i64 = tenders.map(|(_, amount)| amount).sum();
        match kind {
            Tender::Cash => amounts - self.change,
            _ => amounts,
        }
    }

    pub(super) fn status(&self) -> &'static str {
        if self.is_void { "voided" } else { "completed" }
    }
}

/// So much of each stock.
fn sums(lines: impl Iterator<Item = (Uuid, i64)>) -> BTreeMap<Uuid, i64> {
    let mut sums = BTreeMap::new();
    for (stock, quantity) in lines {
        *sums.entry(stock).or_default() += quantity;
    }
    sums
}

/// The change, if the tenders pay a total.
fn change(tenders: &[(Tender, i64)], total: i64) -> Result<i64, Refusal> {
    let paid: i64 = tenders.iter().map(|(_, amount)| amount).sum();
    let cash = tenders.iter().filter(|(kind, _)| *kind == Tender::Cash);
    let cash: i64 = cash.map(|(_, amount)| amount).sum();
    if paid < total {
        let details =
            json!({ "total": total, "paid": paid, "missing": total - paid, "currency": "USD" });
        return Err(("UNDERPAID", details));
    }
    if paid - total > cash {
        let excess = paid - cash - total;
        let details = json!({ "total": total, "paid": paid, "excess": excess, "currency": "USD" });
        return Err(("OVERPAID", details));
    }
    Ok(paid - total)
}

impl Shop {
    pub(super) fn product_of(&self, stock: Uuid) -> Uuid {
        self.stores.get(&stock).map_or(stock, |held| held.product)
    }

    /// What so much of a stock costs.
    pub(crate) fn price_at_till(&self, stock: Uuid, quantity: i64) -> i64 {
        let product = &self.terms.products[&self.product_of(stock)];
        (quantity * product.price + 500) / 1000
    }

    /// More is wanted than there is: every stock that is short, in this order.
    fn short_at_till(&self, order: &[Uuid], wanted: &BTreeMap<Uuid, i64>) -> Option<Refusal> {
        let mut short = Vec::new();
        for stock in order {
            let details = self.shortage_at(*stock, wanted[stock]);
            if !self.has(*stock, wanted[stock]) && !short.contains(&details) {
                short.push(details);
            }
        }
        let details = json!({ "shortages": short });
        (!short.is_empty()).then_some(("INSUFFICIENT_INVENTORY", details))
    }

    /// The shop and the sale after it, or why not.
    fn sell(&self, asked: &Asked) -> Result<(Self, Sale), Refusal> {
        let mut next = self.clone();
        let lines = asked.lines.iter().map(|(stock, quantity)| Line {
            stock: *stock,
            quantity: *quantity,
            total: self.price_at_till(*stock, *quantity),
        });
        let mut sale = Sale {
            register: asked.register,
            shift: Uuid::nil(),
            receipt: 0,
            lines: lines.collect(),
            customer: asked.customer,
            loyalty: None,
            tenders: asked.tenders.clone(),
            change: 0,
            is_void: false,
        };
        sale.change = change(&asked.tenders, sale.subtotal())?;
        if let Some(customer) = asked.customer {
            let by_points = sale.received(Tender::Points);
            sale.loyalty = Some(next.charge_points(customer, &sale.lines, by_points)?);
        }

        let wanted = sums(asked.lines.iter().copied());
        let mut order: Vec<Uuid> = wanted.keys().copied().collect();
        order.sort_by_key(|stock| self.product_of(*stock));
        if let Some(short) = next.short_at_till(&order, &wanted) {
            return Err(short);
        }
        for (stock, quantity) in wanted {
            next.move_stock_at(stock, -quantity);
        }

        let Some(till) = next.tills.registers.get_mut(&asked.register) else {
            return Err((
                "REGISTER_NOT_FOUND",
                json!({ "register_id": asked.register }),
            ));
        };
        let Some(shift) = till.shift else {
            return Err(("SHIFT_NOT_OPEN", json!({ "register_id": asked.register })));
        };
        till.receipts += 1;
        (sale.shift, sale.receipt) = (shift, till.receipts);
        Ok((next, sale))
    }

    /// Why a till does not sell this.
    pub(super) fn sell_refusals(&self, asked: &Asked) -> Vec<Refusal> {
        // A look without a lock tells what is short in the order of the lines, before all else.
        let wanted = sums(asked.lines.iter().copied());
        let order: Vec<Uuid> = asked.lines.iter().map(|(stock, _)| *stock).collect();
        let looked = self.short_at_till(&order, &wanted);
        looked.into_iter().chain(self.sell(asked).err()).collect()
    }

    /// A till has sold.
    pub(super) fn sold(&self, asked: &Asked, body: &Value) -> Done {
        let Ok((mut next, sale)) = self.sell(asked) else {
            return Err("what was asked must be refused");
        };
        let id = uuid(&body["sale"]["id"]).ok_or("a sale without an id")?;
        expect(next.sale_answer(id, &sale), body)?;
        if next.tills.sales.insert(id, Arc::new(sale)).is_some() {
            return Err("a sale that there is already");
        }
        Ok(Some(vec![next]))
    }

    /// The shop after a void, or why not; as it is if the sale is void.
    fn void(&self, id: Uuid) -> Result<(Self, Arc<Sale>), Refusal> {
        let Some(sale) = self.tills.sales.get(&id) else {
            return Err(("SALE_NOT_FOUND", json!({ "sale_id": id })));
        };
        let mut next = self.clone();
        if sale.is_void {
            return Ok((next, Arc::clone(sale)));
        }
        let mut sale = Sale::clone(sale);
        next.give_points_back(&mut sale);
        for (stock, quantity) in sums(sale.lines.iter().map(|line| (line.stock, line.quantity))) {
            next.move_stock_at(stock, quantity);
        }
        if let Some(closed) = self.is_closed(sale.shift) {
            return Err(closed);
        }
        sale.is_void = true;
        let sale = Arc::new(sale);
        next.tills.sales.insert(id, Arc::clone(&sale));
        Ok((next, sale))
    }

    /// Why a sale cannot be voided.
    pub(super) fn void_refusals(&self, id: Uuid) -> Vec<Refusal> {
        self.void(id).err().into_iter().collect()
    }

    /// A sale was voided, or was void already.
    pub(super) fn sale_voided(&self, id: Uuid, body: &Value) -> Done {
        let Ok((next, sale)) = self.void(id) else {
            return Err("there is no such sale, or it must not be voided");
        };
        expect(next.sale_answer(id, &sale), body)?;
        Ok((next != *self).then(|| vec![next]))
    }

    fn sale_answer(&self, id: Uuid, sale: &Sale) -> Value {
        let lines = sale.lines.iter().enumerate().map(|(n, line)| {
            let product = self.product_of(line.stock);
            let Product { name, price, .. } = &self.terms.products[&product];
            json!({
                "line": n, "product_id": product, "inventory_id": line.stock, "name": name,
                "quantity": number(line.quantity), "unit_price": price, "subtotal": line.total,
                "discount": 0, "promo_discount": 0, "tax": 0, "total": line.total,
            })
        });
        let tenders = sale.tenders.iter().map(
            |(kind, amount)| json!({ "type": kind.name(), "amount": amount, "reference": null }),
        );
        let total = sale.subtotal();
        json!({ "success": true, "sale": {
            "id": id, "register_id": sale.register, "shift_id": sale.shift,
            "location_id": self.tills.registers[&sale.register].location,
            "receipt_number": sale.receipt, "receipt": format!("{:06}", sale.receipt),
            "status": sale.status(), "currency": "USD", "lines": lines.collect::<Vec<_>>(), "returns": [],
            "subtotal": total, "discount": 0, "tax": 0, "tax_included": 0, "returned": 0, "total": total,
            "tenders": tenders.collect::<Vec<_>>(), "change_due": sale.change,
            "customer": sale.customer.map(|customer| self.customer_answer(customer)), "promo_code": null,
            "loyalty": sale.loyalty.map(Loyalty::in_json), "approved_by": null, "sold_at": "*", "recorded_at": "*",
            "offline": false, "late": false, "needs_review": [], "shortfalls": [],
        } })
    }
}

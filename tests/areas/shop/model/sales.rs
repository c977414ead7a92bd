//! Sales at tills, from the stock of a store and of the web shop, what comes back of them, and voids.

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
    /// In the order in which answers name them.
    pub(crate) const ALL: [Self; 3] = [Self::Card, Self::Cash, Self::Points];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
            Self::Points => "points",
        }
    }
}

/// What is asked of a till. Nobody named is who has bought what comes back, if they are known.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) register: Uuid,
    /// Stock, and how much of it in thousandths.
    pub(crate) lines: Vec<(Uuid, i64)>,
    /// What comes back of one sale.
    pub(crate) returns: Vec<Return>,
    pub(crate) customer: Option<Uuid>,
    /// What it is paid with, or how it is paid out.
    pub(crate) tenders: Vec<(Tender, i64)>,
    /// The parked sale that it was.
    pub(crate) parked: Option<Uuid>,
    /// The shift in which it was sold, if the till was cut off.
    pub(crate) cut_off: Option<Uuid>,
    pub(crate) key: Option<String>,
}

/// So much of a line of a sale comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Return {
    pub(crate) sale: Uuid,
    pub(crate) line: usize,
    /// In thousandths.
    pub(crate) quantity: i64,
    pub(crate) restock: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Returned {
    asked: Return,
    product: Uuid,
    /// Where it is now.
    stock: Option<Uuid>,
    amount: i64,
}

/// What comes back of a sale.
#[derive(Default)]
struct CameBack {
    returns: Vec<Returned>,
    /// The sale with which it began.
    root: Option<Uuid>,
    /// Who had bought it.
    owner: Option<Uuid>,
    /// How many points went with it that it had earned.
    points: i64,
}

/// What of a sale is of one stock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(super) stock: Uuid,
    /// In thousandths.
    quantity: i64,
    pub(super) total: i64,
    /// How much of it has come back, and for how much.
    pub(super) returned: i64,
    pub(super) returned_amount: i64,
}

impl Line {
    /// What has to be given back in all once so much has come back.
    fn worth(&self, quantity: i64) -> i64 {
        share_of(self.total, quantity, self.quantity).max(self.returned_amount)
    }
}

/// The share of an amount, half a minor unit rounded up.
pub(crate) fn share_of(amount: i64, part: i64, whole: i64) -> i64 {
    (2 * amount * part + whole) / (2 * whole)
}

/// What a till has sold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sale {
    register: Uuid,
    pub(super) shift: Uuid,
    pub(super) receipt: i64,
    pub(super) lines: Vec<Line>,
    returns: Vec<Returned>,
    /// The sale with which it began, if something came back.
    pub(super) root: Option<Uuid>,
    pub(super) customer: Option<Uuid>,
    pub(super) loyalty: Option<Loyalty>,
    tenders: Vec<(Tender, i64)>,
    change: i64,
    /// Whether the till was cut off, what of its stock was not there then, and whether its shift was closed when it came.
    is_cut_off: bool,
    short: BTreeMap<Uuid, i64>,
    pub(super) is_late: bool,
    pub(super) is_void: bool,
}

impl Sale {
    /// What its lines cost.
    pub(super) fn subtotal(&self) -> i64 {
        self.lines.iter().map(|line| line.total).sum()
    }

    /// What came back with it.
    pub(super) fn returned(&self) -> i64 {
        self.returns.iter().map(|back| back.amount).sum()
    }

    pub(super) fn total(&self) -> i64 {
        self.subtotal() - self.returned()
    }

    /// The sale of which something came back with it.
    pub(super) fn original(&self) -> Option<Uuid> {
        self.returns.first().map(|back| back.asked.sale)
    }

    /// What has come in by a kind of tender, less the change; below nothing what was paid out.
    pub(super) fn received(&self, kind: Tender) -> i64 {
        let tenders = self.tenders.iter().filter(|(tender, _)| *tender == kind);
        let amounts: i64 = tenders.map(|(_, amount)| amount).sum();
        match kind {
            _ if self.total() < 0 => -amounts,
            Tender::Cash => amounts - self.change,
            _ => amounts,
        }
    }

    /// What came back with it and went into the stock.
    fn put_back(&self) -> BTreeMap<Uuid, i64> {
        let returns = self.returns.iter();
        sums(returns.filter_map(|back| Some((back.stock?, back.asked.quantity))))
    }

    /// How much of it has come back.
    pub(super) fn came_back(&self) -> i64 {
        self.lines.iter().map(|line| line.returned).sum()
    }

    pub(super) fn status(&self) -> &'static str {
        if self.is_void { "voided" } else { "completed" }
    }
}

/// So much of each stock.
pub(super) fn sums(lines: impl Iterator<Item = (Uuid, i64)>) -> BTreeMap<Uuid, i64> {
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
    pub(crate) fn product_of(&self, stock: Uuid) -> Uuid {
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

    /// What a look at lines tells to be short.
    pub(super) fn looks_short(&self, lines: &[(Uuid, i64)]) -> Option<Refusal> {
        let order: Vec<Uuid> = lines.iter().map(|(stock, _)| *stock).collect();
        self.short_at_till(&order, &sums(lines.iter().copied()))
    }

    /// So much less of each stock, as far as it is there: how much is not.
    fn take_what_is_there(&mut self, goods: BTreeMap<Uuid, i64>) -> BTreeMap<Uuid, i64> {
        let mut short = BTreeMap::new();
        for (stock, quantity) in goods {
            let there = self.quantity_at(stock).min(quantity);
            if there > 0 {
                self.move_stock_at(stock, -there);
            }
            if there < quantity {
                short.insert(stock, quantity - there);
            }
        }
        short
    }

    /// So much more of each stock.
    pub(super) fn give(&mut self, goods: BTreeMap<Uuid, i64>) {
        for (stock, quantity) in goods {
            self.move_stock_at(stock, quantity);
        }
    }

    /// So much less of each stock, if there is enough of all.
    pub(super) fn take(&mut self, goods: BTreeMap<Uuid, i64>) -> Result<(), Refusal> {
        let mut order: Vec<Uuid> = goods.keys().copied().collect();
        order.sort_by_key(|stock| self.product_of(*stock));
        if let Some(short) = self.short_at_till(&order, &goods) {
            return Err(short);
        }
        for (stock, quantity) in goods {
            self.move_stock_at(stock, -quantity);
        }
        Ok(())
    }

    /// Goods come back to a location, with a receipt.
    fn take_back(&mut self, asked: &[Return], location: Uuid) -> Result<CameBack, Refusal> {
        let Some(id) = asked.first().map(|back| back.sale) else {
            return Ok(CameBack::default());
        };
        let Some(original) = self.tills.sales.get(&id) else {
            return Err(("SALE_NOT_FOUND", json!({ "sale_id": id })));
        };
        if original.is_void {
            let details = json!({ "sale_id": id, "voided_at": "*" });
            return Err(("SALE_VOIDED", details));
        }
        let mut requested: BTreeMap<usize, i64> = BTreeMap::new();
        for back in asked {
            *requested.entry(back.line).or_default() += back.quantity;
        }
        let excess = requested.into_iter().filter_map(|(n, quantity)| {
            let line = &original.lines[n];
            (line.returned + quantity > line.quantity).then(|| {
                json!({
                    "line": n, "sold": number(line.quantity), "returned": number(line.returned),
                    "requested": number(quantity),
                })
            })
        });
        let excess: Vec<Value> = excess.collect();
        if !excess.is_empty() {
            let details = json!({ "sale_id": id, "lines": excess });
            return Err(("RETURN_EXCEEDS_SOLD", details));
        }

        let mut original = Sale::clone(original);
        let (root, owner) = (original.root.unwrap_or(id), original.customer);
        let mut returns = Vec::new();
        for back in asked {
            let line = &mut original.lines[back.line];
            let product = self.product_of(line.stock);
            let worth = line.worth(line.returned + back.quantity);
            returns.push(Returned {
                asked: back.clone(),
                product,
                stock: back.restock.then(|| self.stock_at(product, location)),
                amount: worth - line.returned_amount,
            });
            line.returned += back.quantity;
            line.returned_amount = worth;
        }
        let points = self.take_earned_back(&mut original);
        self.tills.sales.insert(id, Arc::new(original));
        Ok(CameBack {
            returns,
            root: Some(root),
            owner,
            points,
        })
    }

    /// What came back with a sale has not come back any more.
    fn undo_returns(&mut self, sale: &Sale) {
        let Some(id) = sale.original() else {
            return;
        };
        let mut original = Sale::clone(&self.tills.sales[&id]);
        for back in &sale.returns {
            let line = &mut original.lines[back.asked.line];
            line.returned -= back.asked.quantity;
            line.returned_amount -= back.amount;
        }
        self.take_earned_back(&mut original);
        self.tills.sales.insert(id, Arc::new(original));
    }

    /// The sale with which something began and all that it was exchanged for since, but for what is void.
    pub(super) fn exchanged(&self, root: Option<Uuid>) -> impl Iterator<Item = &Arc<Sale>> {
        let sales = self.tills.sales.iter();
        let sales = sales.filter(move |(id, sale)| {
            !sale.is_void && root.is_some() && (Some(**id) == root || sale.root == root)
        });
        sales.map(|(_, sale)| sale)
    }

    /// Whether a sale pays out in the way in which it was paid.
    fn pay_out(&self, sale: &Sale) -> Result<(), Refusal> {
        let (tenders, total) = (&sale.tenders, sale.total());
        let paid: i64 = tenders.iter().map(|(_, amount)| amount).sum();
        if paid < -total {
            let missing = -total - paid;
            let details =
                json!({ "total": total, "paid": paid, "missing": missing, "currency": "USD" });
            return Err(("UNDERPAID", details));
        }
        if paid > -total {
            let details =
                json!({ "total": total, "paid": paid, "excess": paid + total, "currency": "USD" });
            return Err(("OVERPAID", details));
        }
        let mut told = Vec::new();
        let mut exceeded = false;
        for kind in Tender::ALL {
            // Points are theirs alone who have spent them.
            let sales = self.exchanged(sale.root).filter(|paid| {
                kind != Tender::Points || sale.customer.is_some() && paid.customer == sale.customer
            });
            let sales: Vec<&Arc<Sale>> = sales.collect();
            let asked = tenders.iter().filter(|(tender, _)| *tender == kind);
            let asked: i64 = asked.map(|(_, amount)| amount).sum();
            let received: i64 = sales.iter().map(|sale| sale.received(kind)).sum();
            let refundable = received.max(0);
            let is_there =
                |sale: &&Arc<Sale>| sale.tenders.iter().any(|(tender, _)| *tender == kind);
            if kind == Tender::Cash || asked > 0 || sales.iter().any(is_there) {
                told.push(json!({
                    "type": kind.name(), "requested": asked, "refundable": refundable,
                }));
            }
            exceeded |= asked > refundable;
        }
        let details = json!({ "total": total, "currency": "USD", "tenders": told });
        match exceeded {
            true => Err(("REFUND_EXCEEDS_PAID", details)),
            false => Ok(()),
        }
    }

    /// The shop and the sale after it, or why not.
    fn sell(&self, asked: &Asked) -> Result<(Self, Sale), Refusal> {
        let mut next = self.clone();
        let lines = asked.lines.iter().map(|(stock, quantity)| Line {
            stock: *stock,
            quantity: *quantity,
            total: self.price_at_till(*stock, *quantity),
            returned: 0,
            returned_amount: 0,
        });
        let location = self.tills.registers[&asked.register].location;
        let came_back = next.take_back(&asked.returns, location)?;
        let customer = asked.customer.or(came_back.owner);
        if let (Some(owner), Some(customer)) = (came_back.owner, customer)
            && owner != customer
        {
            let details = json!({ "customer_ids": [owner, customer] });
            return Err(("CUSTOMERS_DIFFER", details));
        }
        let mut sale = Sale {
            register: asked.register,
            shift: Uuid::nil(),
            receipt: 0,
            lines: lines.collect(),
            returns: came_back.returns,
            root: came_back.root,
            customer,
            loyalty: None,
            tenders: asked.tenders.clone(),
            change: 0,
            is_cut_off: asked.cut_off.is_some(),
            short: BTreeMap::new(),
            is_late: false,
            is_void: false,
        };
        match sale.total() {
            total @ 0.. => sale.change = change(&asked.tenders, total)?,
            _ => self.pay_out(&sale)?,
        }
        if let Some(customer) = customer {
            sale.loyalty = Some(next.charge_points(customer, &sale, came_back.points)?);
        }

        let kept = match asked.parked {
            Some(id) => next.take_parked(id, asked.register)?,
            None => BTreeMap::new(),
        };
        next.give(sale.put_back());
        next.give(kept);
        let goods = sums(asked.lines.iter().copied());
        match asked.cut_off {
            Some(_) => sale.short = next.take_what_is_there(goods),
            None => next.take(goods)?,
        }

        let named = match asked.cut_off {
            None => None,
            Some(id) => {
                let shift = self.tills.shifts.get(&id);
                let Some(shift) = shift.filter(|shift| shift.register == asked.register) else {
                    return Err(("SHIFT_NOT_FOUND", json!({ "shift_id": id })));
                };
                sale.is_late = shift.counted.is_some();
                Some(id)
            }
        };
        let Some(till) = next.tills.registers.get_mut(&asked.register) else {
            return Err((
                "REGISTER_NOT_FOUND",
                json!({ "register_id": asked.register }),
            ));
        };
        let Some(shift) = named.or(till.shift) else {
            return Err(("SHIFT_NOT_OPEN", json!({ "register_id": asked.register })));
        };
        till.receipts += 1;
        (sale.shift, sale.receipt) = (shift, till.receipts);
        Ok((next, sale))
    }

    /// Why a till does not sell this.
    pub(super) fn sell_refusals(&self, asked: &Asked) -> Vec<Refusal> {
        // A look without a lock tells what is short in the order of the lines, before all else; unless it may come back.
        if !asked.returns.is_empty() || asked.parked.is_some() || asked.cut_off.is_some() {
            return self.sell(asked).err().into_iter().collect();
        }
        let looked = self.looks_short(&asked.lines);
        looked.into_iter().chain(self.sell(asked).err()).collect()
    }

    /// A till has sold.
    pub(super) fn sold(&self, asked: &Asked, body: &Value) -> Done {
        let Ok((mut next, sale)) = self.sell(asked) else {
            return Err("what was asked must be refused");
        };
        let id = uuid(&body["sale"]["id"]).ok_or("a sale without an id")?;
        expect(next.sale_answer(id, &sale), body)?;
        if let Some(parked) = asked.parked {
            next.parked_became(parked, id);
        }
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
        let came_back = sale.lines.iter().enumerate();
        let came_back: Vec<Value> = came_back
            .filter(|(_, line)| line.returned > 0)
            .map(|(n, line)| json!({ "line": n, "returned": number(line.returned) }))
            .collect();
        if !came_back.is_empty() {
            let details = json!({ "sale_id": id, "lines": came_back });
            return Err(("SALE_RETURNED", details));
        }
        let mut sale = Sale::clone(sale);
        next.undo_returns(&sale);
        next.give_points_back(&mut sale);
        // What was not there has not left the books.
        let mut goods = sums(sale.lines.iter().map(|line| (line.stock, line.quantity)));
        for (stock, short) in &sale.short {
            *goods.entry(*stock).or_default() -= short;
        }
        goods.retain(|_, quantity| *quantity > 0);
        next.give(goods);
        next.take(sale.put_back())?;
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
        let returns = sale.returns.iter().enumerate().map(|(n, back)| {
            let Product { name, price, .. } = &self.terms.products[&back.product];
            json!({
                "n": n, "sale_id": back.asked.sale, "line": back.asked.line, "product_id": back.product,
                "inventory_id": back.stock, "name": name, "quantity": number(back.asked.quantity),
                "unit_price": price, "tax": 0, "amount": back.amount, "restock": back.asked.restock, "reason": "test",
            })
        });
        let location = self.tills.registers[&sale.register].location;
        let sold = sums(sale.lines.iter().map(|line| (line.stock, line.quantity)));
        let short = sale.short.iter();
        let mut short: Vec<_> = short
            .map(|(stock, quantity)| (self.product_of(*stock), stock, quantity))
            .collect();
        short.sort();
        let short = short.into_iter().map(|(product, stock, quantity)| {
            json!({
                "product_id": product, "inventory_id": stock, "location_id": location,
                "sold": number(sold[stock]), "quantity": number(*quantity),
            })
        });
        json!({ "success": true, "sale": {
            "id": id, "register_id": sale.register, "shift_id": sale.shift,
            "location_id": location,
            "receipt_number": sale.receipt, "receipt": format!("{:06}", sale.receipt),
            "status": sale.status(), "currency": "USD", "lines": lines.collect::<Vec<_>>(), "returns": returns.collect::<Vec<_>>(),
            "subtotal": sale.subtotal(), "discount": 0, "tax": 0, "tax_included": 0,
            "returned": sale.returned(), "total": sale.total(),
            "tenders": tenders.collect::<Vec<_>>(), "change_due": sale.change,
            "customer": sale.customer.map(|customer| self.customer_answer(customer)), "promo_code": null,
            "loyalty": sale.loyalty.map(Loyalty::in_json), "approved_by": null, "sold_at": "*", "recorded_at": "*",
            "offline": sale.is_cut_off, "late": sale.is_late, "needs_review": [], "shortfalls": short.collect::<Vec<_>>(),
        } })
    }
}

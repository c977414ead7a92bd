//! Points of customers: earned by sales at tills, spent there, and taken back.

use super::Shop;
use super::sales::{Line, Sale, Tender, share_of};
use crate::areas::promo::model::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a customer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Points {
    pub(crate) balance: i64,
    /// What they have spent before that which had earned it came back.
    pub(crate) owed: i64,
}

impl Points {
    /// What is earned pays first what is owed; what is taken and not there is owed.
    fn book(&mut self, points: i64) {
        if points >= 0 {
            let paid = points.min(self.owed);
            self.owed -= paid;
            self.balance += points - paid;
        } else {
            let taken = self.balance.min(-points);
            self.balance -= taken;
            self.owed += -points - taken;
        }
    }
}

/// What a sale did to its customer's points, and what has been undone of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Loyalty {
    earned: i64,
    spent: i64,
    /// How many of those that had paid for what came back with it.
    given_back: i64,
    /// How many went with what came back, which had earned them.
    taken_back: i64,
    /// What there was then.
    balance: i64,
    /// How many of those that it earned are gone by now.
    lost: i64,
}

impl Loyalty {
    /// As the sale's answer shows it.
    pub(super) fn in_json(self) -> Value {
        json!({
            "earned": self.earned, "spent": self.spent, "given_back": self.given_back,
            "taken_back": self.taken_back, "balance": self.balance, "tier": null, "tier_before": null,
        })
    }
}

impl Shop {
    /// What lines earn of which so much is paid with points: of each product by its own rule.
    fn earned(&self, lines: &[Line], by_points: i64) -> i64 {
        let mut amounts: BTreeMap<i64, i64> = BTreeMap::new();
        for line in lines {
            let product = &self.terms.products[&self.product_of(line.stock)];
            *amounts.entry(product.per_point).or_default() += line.total;
        }
        let all: i64 = amounts.values().sum();
        let amounts = amounts.into_iter();
        amounts
            .map(|(per_point, amount)| amount * (all - by_points) / (all * per_point))
            .sum()
    }

    /// How much of what the lines of a sale cost points have paid: its own, and those that had paid for what came back with it.
    fn by_points(&self, sale: &Sale) -> i64 {
        let before = sale.original().map_or(0, |id| {
            let original = &self.tills.sales[&id];
            share_of(
                sale.returned(),
                self.by_points(original),
                original.subtotal(),
            )
        });
        (sale.received(Tender::Points) + before).clamp(0, sale.subtotal())
    }

    /// How many points a customer gets back for so much: their share of those that they have spent.
    fn to_give_back(&self, customer: Uuid, root: Option<Uuid>, amount: i64) -> i64 {
        let (mut paid, mut refunded, mut points, mut given) = (0, amount, 0, 0);
        for sale in self.exchanged(root) {
            if let Some(loyalty) = sale.loyalty.filter(|_| sale.customer == Some(customer)) {
                let received = sale.received(Tender::Points);
                paid += received.max(0);
                refunded += (-received).max(0);
                points += loyalty.spent;
                given += loyalty.given_back;
            }
        }
        (points * refunded / paid - given).max(0)
    }

    /// A customer pays with points or gets them back, and earns what is sold; so many were taken with what came back.
    pub(super) fn charge_points(
        &mut self,
        customer: Uuid,
        sale: &Sale,
        taken_back: i64,
    ) -> Result<Loyalty, Refusal> {
        let earned = self.earned(&sale.lines, self.by_points(sale));
        let (spent, given_back) = match sale.received(Tender::Points) {
            paid @ 0.. => (paid / self.terms.point_value, 0),
            paid => (0, self.to_give_back(customer, sale.root, -paid)),
        };
        let points = self.tills.customers.entry(customer).or_default();
        if points.balance < spent {
            let details = json!({ "balance": points.balance, "requested": spent });
            return Err(("INSUFFICIENT_POINTS", details));
        }
        points.book(given_back - spent);
        points.book(earned);
        Ok(Loyalty {
            earned,
            spent,
            given_back,
            taken_back,
            balance: points.balance,
            lost: 0,
        })
    }

    /// So much of a sale has come back by now: so much of what it earned is taken, and no more. How much it is now.
    pub(super) fn take_earned_back(&mut self, sale: &mut Sale) -> i64 {
        let returned: i64 = sale.lines.iter().map(|line| line.returned_amount).sum();
        let total = sale.subtotal();
        let (Some(customer), Some(loyalty)) = (sale.customer, &mut sale.loyalty) else {
            return 0;
        };
        let lost = (loyalty.earned * returned + total - 1) / total;
        let taken = lost - loyalty.lost;
        loyalty.lost = lost;
        let points = self.tills.customers.entry(customer).or_default();
        points.book(-taken);
        taken
    }

    /// A sale is void: what it took is given back, and what it gave is taken.
    pub(super) fn give_points_back(&mut self, sale: &mut Sale) {
        if let (Some(customer), Some(loyalty)) = (sale.customer, &mut sale.loyalty) {
            let points = self.tills.customers.entry(customer).or_default();
            points.book(loyalty.spent - loyalty.given_back);
            points.book(loyalty.lost - loyalty.earned);
            loyalty.lost = loyalty.earned;
        }
    }

    /// A customer as answers show them.
    pub(super) fn customer_answer(&self, customer: Uuid) -> Value {
        json!({
            "id": customer, "name": "test", "phone": null, "email": null, "marketing": true,
            "points": self.tills.customers[&customer].balance, "tier": null,
        })
    }
}

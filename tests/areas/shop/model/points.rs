//! Points of customers: earned by sales at tills, spent there, and taken back.

use super::Shop;
use super::sales::{Line, Sale};
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
    /// What there was then.
    balance: i64,
    taken_back: i64,
}

impl Loyalty {
    /// As the sale's answer shows it.
    pub(super) fn in_json(self) -> Value {
        json!({
            "earned": self.earned, "spent": self.spent, "balance": self.balance,
            "tier": null, "tier_before": null,
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

    /// A customer pays so much with points, and earns what these lines earn.
    pub(super) fn charge_points(
        &mut self,
        customer: Uuid,
        lines: &[Line],
        by_points: i64,
    ) -> Result<Loyalty, Refusal> {
        let earned = self.earned(lines, by_points);
        let spent = by_points / self.terms.point_value;
        let points = self.tills.customers.entry(customer).or_default();
        if points.balance < spent {
            let details = json!({ "balance": points.balance, "requested": spent });
            return Err(("INSUFFICIENT_POINTS", details));
        }
        points.book(-spent);
        points.book(earned);
        Ok(Loyalty {
            earned,
            spent,
            balance: points.balance,
            taken_back: 0,
        })
    }

    /// So much of a sale has come back by now: so much of what it earned is taken, and no more.
    pub(super) fn take_earned_back(&mut self, sale: &mut Sale) {
        let returned: i64 = sale.lines.iter().map(|line| line.returned_amount).sum();
        let total = sale.subtotal();
        if let (Some(customer), Some(loyalty)) = (sale.customer, &mut sale.loyalty) {
            let taken = (loyalty.earned * returned + total - 1) / total;
            let points = self.tills.customers.entry(customer).or_default();
            points.book(loyalty.taken_back - taken);
            loyalty.taken_back = taken;
        }
    }

    /// A sale is void: what it took is given back, and what it earned is taken.
    pub(super) fn give_points_back(&mut self, sale: &mut Sale) {
        if let (Some(customer), Some(loyalty)) = (sale.customer, &mut sale.loyalty) {
            let points = self.tills.customers.entry(customer).or_default();
            points.book(loyalty.spent);
            points.book(loyalty.taken_back - loyalty.earned);
            loyalty.taken_back = loyalty.earned;
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

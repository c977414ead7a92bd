//! Promo codes as a shop has them: who may know them, what they take off, and their uses.

use super::{Kind, Promo, Refusal, Use, Uses, Worth};
use crate::areas::shop::model::calls::Call;
use crate::areas::shop::model::{Done, Shop, expect, some};
use crate::prove::model::{Event, Moment, matches};
use serde_json::{Value, json};
use uuid::Uuid;

/// So many unknown codes in so many seconds, and a customer has to wait.
const GUESSES: (usize, Moment) = (20, 600);

impl Shop {
    /// The code, if this customer may know and use it.
    pub(crate) fn promo(&self, user: Uuid, code: &str) -> Result<&Promo, Refusal> {
        let now = self.clock.now;
        let guesses = self.guesses.get(&user).into_iter().flatten();
        let guesses: Vec<Moment> = guesses
            .copied()
            .filter(|at| *at > now - GUESSES.1)
            .collect();
        if guesses.len() >= GUESSES.0 {
            let wait = (guesses[0] + GUESSES.1 - now).max(1);
            return Err(("TOO_MANY_ATTEMPTS", json!({ "retry_after": wait })));
        }
        self.terms
            .promos
            .iter()
            .find(|promo| {
                promo.code == code && promo.only_for.is_none_or(|customer| customer == user)
            })
            .ok_or(("PROMO_NOT_FOUND", Value::Null))
    }

    /// This shop after somebody has sent an unknown code.
    pub(crate) fn after_a_guess(&self, user: Uuid) -> Self {
        let mut next = self.clone();
        let now = self.clock.now;
        let guesses = next.guesses.entry(user).or_default();
        guesses.retain(|at| *at > now - GUESSES.1);
        guesses.push(now);
        next
    }

    pub(crate) fn promo_by_id(&self, id: Uuid) -> &Promo {
        self.terms
            .promos
            .iter()
            .find(|promo| promo.id == id)
            .expect("a call names promo codes of its own shop")
    }

    /// A cart's live hold is redeemed for the discount it has shown, or not at all.
    pub(crate) fn shown_otherwise(
        &self,
        promo: &Promo,
        user: Uuid,
        cart: Option<Uuid>,
        worth: &Worth,
    ) -> Option<Refusal> {
        self.held_otherwise(promo, user, cart, worth.discount)
    }

    /// Why a cart that holds the code for another discount does not redeem it for this one.
    pub(crate) fn held_otherwise(
        &self,
        promo: &Promo,
        user: Uuid,
        cart: Option<Uuid>,
        now: i64,
    ) -> Option<Refusal> {
        match self.uses.own(promo.id, Some(user), cart)?.kind {
            Kind::Held { until, discount } if until > self.clock.now && discount != now => {
                let changed = json!({ "shown": discount, "now": now, "currency": "USD" });
                Some(("PROMO_CHANGED", changed))
            }
            _ => None,
        }
    }

    /// Why a code may not be applied.
    pub(crate) fn code_refusals(
        &self,
        buyer: Uuid,
        code: &str,
        items: &[(Uuid, i64)],
        cart: Option<Uuid>,
    ) -> Vec<Refusal> {
        match self.promo(buyer, code) {
            Err(refusal) => vec![refusal],
            Ok(promo) => {
                let worth = promo.worth(&self.priced(items), self.has_order(buyer), self.clock);
                let mut refusals: Vec<_> = worth.err().into_iter().collect();
                refusals.extend(
                    self.uses
                        .refusal(promo, Some(buyer), cart, true, self.clock)
                        .unwrap_or_default(),
                );
                refusals
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    pub(crate) fn code_applied(
        &self,
        event: &Event<Call>,
        buyer: Uuid,
        code: &str,
        items: &[(Uuid, i64)],
        cart: Option<Uuid>,
        dry_run: bool,
        body: &Value,
    ) -> Done {
        let promo = self
            .promo(buyer, code)
            .map_err(|_| "the code may not be used")?;
        let lines = self.priced(items);
        let earlier = self.has_earlier_order(buyer, event.called, false);
        let worth = promo
            .worth(&lines, earlier, self.clock)
            .map_err(|_| "the code does not apply")?;
        let until = self
            .uses
            .hold_ends(promo, buyer, self.clock.now)
            .filter(|_| !dry_run);
        let shares = lines.iter().zip(&worth.shares);
        let shares: Vec<Value> = shares
            .map(|(line, share)| json!({ "product_id": line.product, "discount": share }))
            .collect();
        let answer = json!({
            "valid": true, "code": promo.code, "discount_type": promo.off.name(),
            "discount": worth.discount, "subtotal": worth.subtotal,
            "total": worth.subtotal - worth.discount, "currency": "USD", "lines": shares,
            "held_until": until.map_or(Value::Null, |until| self.clock.time(until)),
        });
        expect(answer, body)?;
        let Some(until) = until else {
            let refusal = self
                .uses
                .refusal(promo, Some(buyer), cart, true, self.clock);
            return refusal.map_or(Ok(None), |_| Err("no use of the code was left"));
        };
        let held = Use {
            promo: promo.id,
            user: Some(buyer),
            cart,
            kind: Kind::Held {
                until,
                discount: worth.discount,
            },
            number: 0,
        };
        let taken = self.uses.taken(promo, held, self.clock.now, event.alone);
        some(self.with_uses(taken), "no use of the code was left")
    }

    /// A hold is given back, if there was one.
    pub(crate) fn code_released(
        &self,
        buyer: Uuid,
        code: &str,
        cart: Option<Uuid>,
        body: &Value,
    ) -> Done {
        let promo = self.promo(buyer, code).map_err(|_| "the code is unknown")?;
        let mut next = self.clone();
        let released = next.uses.released(promo.id, buyer, cart);
        expect(json!({ "released": released, "code": promo.code }), body)?;
        Ok(released.then(|| vec![next]))
    }

    /// Holds have ended by themselves.
    pub(crate) fn holds_expired(&self, event: &Event<Call>, body: &Value) -> Done {
        let over = self.uses.all_over(self.clock.now).into_iter();
        let over: Vec<_> = over.map(|hold| (hold.in_words(), hold)).collect();
        self.some_of(&over, body, event.alone, |next, hold| {
            next.uses.without(hold)
        })
    }

    /// The shop has counted a use by itself.
    pub(crate) fn use_counted(&self, event: &Event<Call>, promo: Uuid, body: &Value) -> Done {
        let promo = self.promo_by_id(promo);
        let counted = Use {
            promo: promo.id,
            user: None,
            cart: None,
            kind: Kind::Redeemed { order: None },
            number: self.uses.next_number(),
        };
        let taken = self.uses.taken(promo, counted, self.clock.now, event.alone);
        let next = self.with_uses(taken).into_iter().filter(|next| {
            let counted = json!({ "success": true, "used_count": next.uses.of(promo.id) });
            // With slots it is not said.
            let beside_others = json!({ "success": true, "used_count": null });
            matches(&counted, body) || matches(&beside_others, body)
        });
        some(
            next.collect(),
            "no use was left, or they are counted otherwise",
        )
    }

    pub(crate) fn with_uses(&self, uses: Vec<Uses>) -> Vec<Shop> {
        uses.into_iter()
            .map(|uses| Shop {
                uses,
                ..self.clone()
            })
            .collect()
    }

    /// Whether the customer has an *earlier* order: one whose answer they had before this call. An order
    /// that is placed at the same time without a code for first orders may come before or after; of two
    /// checkouts under such codes one is the first, whenever they are made.
    pub(crate) fn has_earlier_order(&self, user: Uuid, called: u64, buying: bool) -> bool {
        self.orders.values().any(|order| {
            order.buyer == user
                && order.stands()
                && (order.answered < called || (buying && order.as_first_order))
        })
    }

    /// What the shop is told when it has changed the number of a code's slots.
    pub(crate) fn promo_slots_set(&self, promo: Uuid, slots: i64) -> Value {
        json!({
            "success": true, "promo_id": promo, "slots": slots, "used_count": self.uses.of(promo),
        })
    }
}

//! Promo codes: what a code takes off, and how often it may be used.
//!
//! A use is *held* for a cart for 15 minutes, or *redeemed* by an order. Both count. A hold whose time
//! is over still counts until somebody takes it back; whoever needs a use does. A customer holds a code
//! for an hour in all, and then not for another one.

mod uses;

use crate::prove::model::{Clock, Moment};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How long a code is held for a cart, in seconds.
const HOLD: Moment = 15 * 60;

/// How long a customer holds a code in all, in seconds; for as long after that they do not.
const HOLD_LIMIT: Moment = 60 * 60;

/// Why not, with the details.
pub(crate) type Refusal = (&'static str, Value);

/// What a code takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Off {
    Percent(i64),
    Fixed(i64),
}

impl Off {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Percent(_) => "percentage",
            Self::Fixed(_) => "fixed",
        }
    }
}

/// A code as the shop made it. It does not change while it is used.
#[derive(Clone, Debug)]
pub(crate) struct Promo {
    pub(crate) id: Uuid,
    pub(crate) code: String,
    pub(crate) off: Off,
    pub(crate) max_uses: Option<i64>,
    pub(crate) max_uses_per_user: Option<i64>,
    /// With how many carts a customer holds it at a time.
    pub(crate) holds_per_user: i64,
    pub(crate) min_subtotal: Option<i64>,
    pub(crate) first_order_only: bool,
    /// The one customer it is for.
    pub(crate) only_for: Option<Uuid>,
    /// The one product it is for.
    pub(crate) only_on: Option<Uuid>,
    pub(crate) expires: Option<Moment>,
}

/// One line of a cart, priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) product: Uuid,
    pub(crate) quantity: i64,
    pub(crate) price: i64,
}

/// What a code takes off a cart.
pub(crate) struct Worth {
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    /// The share of each line.
    pub(crate) shares: Vec<i64>,
}

impl Promo {
    /// What the code takes off this cart, by the rules that do not depend on other customers.
    pub(crate) fn worth(
        &self,
        lines: &[Line],
        has_ordered: bool,
        clock: Clock,
    ) -> Result<Worth, Refusal> {
        let amount = |line: &Line| line.quantity * line.price;
        let matching: Vec<i64> = lines
            .iter()
            .map(|line| match self.only_on {
                Some(product) if product != line.product => 0,
                _ => amount(line),
            })
            .collect();
        let in_scope = lines
            .iter()
            .any(|line| self.only_on.is_none_or(|product| product == line.product));
        let subtotal: i64 = lines.iter().map(amount).sum();
        let not_applicable = |details: Value| Err(("PROMO_NOT_APPLICABLE", details));
        if let Some(expires) = self.expires.filter(|expires| *expires <= clock.now) {
            return Err((
                "PROMO_EXPIRED",
                json!({ "expires_at": clock.time(expires) }),
            ));
        }
        if !in_scope {
            return not_applicable(json!({ "reason": "products" }));
        }
        if let Some(least) = self.min_subtotal.filter(|least| subtotal < *least) {
            return not_applicable(json!({
                "reason": "min_subtotal", "min_subtotal": least, "subtotal": subtotal,
                "missing": least - subtotal, "currency": "USD",
            }));
        }
        if self.first_order_only && has_ordered {
            return not_applicable(json!({ "reason": "first_order_only" }));
        }
        let total: i64 = matching.iter().sum();
        // Half a minor unit rounds up.
        let discount = match self.off {
            Off::Percent(percent) => (total * percent + 50) / 100,
            Off::Fixed(amount) => amount,
        }
        .min(total);
        // A use is too good for nothing.
        if discount == 0 {
            return not_applicable(json!({ "reason": "no_discount" }));
        }
        Ok(Worth {
            subtotal,
            discount,
            shares: shared(discount, &matching),
        })
    }

    /// When a hold that begins now ends: it does not outlive its code.
    pub(crate) fn hold_ends(&self, now: Moment) -> Moment {
        self.expires
            .map_or(now + HOLD, |expires| expires.min(now + HOLD))
    }
}

/// A discount shared between lines: in proportion, and what is left over to the largest remainders, the
/// first line first.
fn shared(discount: i64, amounts: &[i64]) -> Vec<i64> {
    let total = amounts.iter().sum::<i64>().max(1);
    let mut shares: Vec<i64> = amounts.iter().map(|a| discount * a / total).collect();
    let left = usize::try_from(discount - shares.iter().sum::<i64>()).unwrap_or(0);
    let mut largest: Vec<usize> = (0..amounts.len()).collect();
    largest.sort_by_key(|line| std::cmp::Reverse(discount * amounts[*line] % total));
    for line in largest.into_iter().take(left) {
        shares[line] += 1;
    }
    shares
}

/// A use that counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Use {
    pub(crate) promo: Uuid,
    /// Nobody's where the shop's own script counted it.
    pub(crate) user: Option<Uuid>,
    pub(crate) cart: Option<Uuid>,
    pub(crate) kind: Kind,
    /// Tells apart the uses that the shop's own script counted.
    pub(crate) number: usize,
}

/// Held for a cart, or redeemed by an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Held { until: Moment, discount: i64 },
    Redeemed { order: Option<Uuid> },
}

/// All uses that count, and when each customer began to hold each code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Uses {
    uses: BTreeSet<Use>,
    held_since: BTreeMap<(Uuid, Uuid), Moment>,
}

impl Uses {
    /// How many uses of the code count.
    pub(crate) fn of(&self, promo: Uuid) -> i64 {
        count(self.uses.iter().filter(|used| used.promo == promo))
    }

    /// Every use of the code, in words: who, for which cart, held or redeemed.
    pub(crate) fn in_words(&self, promo: Uuid) -> Vec<String> {
        let of_promo = self.uses.iter().filter(|used| used.promo == promo);
        let mut words: Vec<String> = of_promo.map(Use::in_words).collect();
        words.sort();
        words
    }

    /// The use that this cart holds, its time over or not; or that an order of this cart has redeemed.
    pub(crate) fn own(&self, promo: Uuid, user: Option<Uuid>, cart: Option<Uuid>) -> Option<&Use> {
        self.uses.iter().find(|used| {
            used.promo == promo
                && user.is_some()
                && used.user == user
                && used.cart == cart
                // Without a cart id: one hold, any number of orders.
                && (matches!(used.kind, Kind::Held { .. }) || cart.is_some())
        })
    }

    /// When this customer began to hold the code, if they asked for a hold now.
    fn held_since(&self, promo: Uuid, user: Uuid, now: Moment) -> Moment {
        self.held_since
            .get(&(promo, user))
            .copied()
            .filter(|since| since + 2 * HOLD_LIMIT > now)
            .unwrap_or(now)
    }

    /// When a hold ends that this customer gets or refreshes now; `None` if they get none.
    pub(crate) fn hold_ends(&self, promo: &Promo, user: Uuid, now: Moment) -> Option<Moment> {
        let last = self.held_since(promo.id, user, now) + HOLD_LIMIT;
        (last > now).then(|| last.min(promo.hold_ends(now)))
    }

    /// Why the customer may not have a use for this cart now, to hold or to redeem, whoever else holds one.
    pub(crate) fn refusal(
        &self,
        promo: &Promo,
        user: Option<Uuid>,
        cart: Option<Uuid>,
        to_hold: bool,
        clock: Clock,
    ) -> Option<Vec<Refusal>> {
        let now = clock.now;
        match self.own(promo.id, user, cart).map(|own| &own.kind) {
            Some(Kind::Held { .. }) => return None,
            Some(Kind::Redeemed { order }) => {
                let details = json!({ "reason": "redeemed", "cart_id": cart, "order_id": order });
                return Some(vec![("PROMO_ALREADY_APPLIED", details)]);
            }
            None => {}
        }
        let own = self.uses.iter().filter(|used| {
            used.promo == promo.id && user.is_some() && used.user == user && !used.is_over(now)
        });
        // Who holds it in another cart is told which; the hold that lasts longest, if there are several.
        let elsewhere = self.uses.iter().filter_map(|used| match used.kind {
            Kind::Held { until, .. }
                if used.promo == promo.id && user.is_some() && used.user == user && until > now =>
            {
                Some((until, used.cart))
            }
            _ => None,
        });
        let elsewhere: Vec<_> = elsewhere.collect();
        let holds = i64::try_from(elsewhere.len()).unwrap_or(i64::MAX);
        let reason = if promo
            .max_uses_per_user
            .is_some_and(|most| count(own) >= most)
        {
            "max_uses_per_user"
        } else if promo.max_uses.is_some_and(|most| self.of(promo.id) >= most)
            && self.over(promo.id, now).next().is_none()
        {
            "max_uses"
        } else if to_hold && holds >= promo.holds_per_user {
            "held elsewhere"
        } else {
            return None;
        };
        match elsewhere.iter().map(|(until, _)| *until).max() {
            None => Some(vec![("PROMO_EXHAUSTED", json!({ "reason": reason }))]),
            Some(longest) => Some(
                elsewhere
                    .into_iter()
                    .filter(|(until, _)| *until == longest)
                    .map(|(until, cart)| {
                        let held = json!({ "reason": "held", "cart_id": cart, "held_until": clock.time(until) });
                        ("PROMO_ALREADY_APPLIED", held)
                    })
                    .collect(),
            ),
        }
    }

    /// The uses after one more was taken: what may have been taken back on the way, too.
    ///
    /// A cart's own hold becomes the new use. Otherwise the customer's own holds whose time is over are
    /// taken back; and if the code looked used up, those of one other customer: the one whose hold ended
    /// first, if nobody else is at work.
    pub(crate) fn taken(&self, promo: &Promo, new: Use, now: Moment, alone: bool) -> Vec<Uses> {
        let mut uses = self.clone();
        if let (Kind::Held { .. }, Some(user)) = (&new.kind, new.user) {
            let since = self.held_since(promo.id, user, now);
            uses.held_since.insert((promo.id, user), since);
        }
        if let Some(own) = self.own(promo.id, new.user, new.cart).cloned() {
            if !matches!(own.kind, Kind::Held { .. }) {
                return Vec::new();
            }
            uses.uses.remove(&own);
            uses.uses.insert(new);
            return vec![uses];
        }
        let mut others: Vec<Option<Uuid>> = vec![None];
        let first = self.over(promo.id, now).map(|(until, _)| until).min();
        let looks_used_up = promo.max_uses.is_some_and(|most| self.of(promo.id) >= most);
        let over: BTreeSet<Uuid> = self
            .over(promo.id, now)
            .filter(|(until, _)| !alone || Some(*until) == first)
            .map(|(_, user)| user)
            .collect();
        if alone && looks_used_up {
            others.clear();
        }
        if promo.max_uses.is_some() && (!alone || looks_used_up) {
            others.extend(over.into_iter().map(Some));
        }
        uses.uses
            .retain(|used| !(used.promo == promo.id && used.user == new.user && used.is_over(now)));
        others
            .into_iter()
            .filter_map(|other| {
                let mut uses = uses.clone();
                uses.uses.retain(|used| {
                    !(used.promo == promo.id
                        && other.is_some()
                        && used.user == other
                        && used.is_over(now))
                });
                let mine = uses
                    .uses
                    .iter()
                    .filter(|used| used.promo == promo.id && used.user == new.user);
                let holds = mine
                    .clone()
                    .filter(|used| matches!(used.kind, Kind::Held { .. }));
                let fits = promo.max_uses.is_none_or(|most| uses.of(promo.id) < most)
                    && (matches!(new.kind, Kind::Redeemed { .. })
                        || count(holds) < promo.holds_per_user)
                    && (new.user.is_none()
                        || promo
                            .max_uses_per_user
                            .is_none_or(|most| count(mine) < most));
                uses.uses.insert(new.clone());
                fits.then_some(uses)
            })
            .collect()
    }

    /// The hold of this cart is given back; whether there was one.
    pub(crate) fn released(&mut self, promo: Uuid, user: Uuid, cart: Option<Uuid>) -> bool {
        let before = self.uses.len();
        self.uses.retain(|used| {
            !(used.promo == promo
                && used.user == Some(user)
                && used.cart == cart
                && matches!(used.kind, Kind::Held { .. }))
        });
        self.uses.len() < before
    }

    /// What the order redeemed is given back.
    pub(crate) fn returned(&mut self, ended: Uuid) {
        self.uses
            .retain(|used| used.kind != Kind::Redeemed { order: Some(ended) });
    }

    /// The holds whose time is over: the ends and the holders.
    fn over(&self, promo: Uuid, now: Moment) -> impl Iterator<Item = (Moment, Uuid)> {
        self.uses
            .iter()
            .filter(move |used| used.promo == promo && used.is_over(now))
            .filter_map(|used| match used.kind {
                Kind::Held { until, .. } => Some((until, used.user?)),
                Kind::Redeemed { .. } => None,
            })
    }

    /// All holds whose time is over.
    pub(crate) fn all_over(&self, now: Moment) -> Vec<Use> {
        let over = self.uses.iter().filter(|used| used.is_over(now));
        over.cloned().collect()
    }

    /// Takes one use back.
    pub(crate) fn without(&mut self, ended: &Use) {
        self.uses.remove(ended);
    }

    /// A number that no use has yet.
    pub(crate) fn next_number(&self) -> usize {
        let counted = Kind::Redeemed { order: None };
        self.uses.iter().filter(|used| used.kind == counted).count()
    }
}

impl Use {
    /// Held or redeemed, of which code, by whom, for which cart.
    pub(crate) fn in_words(&self) -> String {
        let kind = match self.kind {
            Kind::Held { .. } => "held",
            Kind::Redeemed { .. } => "redeemed",
        };
        let [user, cart] = [self.user, self.cart]
            .map(|id| id.map_or_else(|| "nobody".to_owned(), |id| id.to_string()));
        format!("{kind} {} {user} {cart}", self.promo)
    }

    fn is_over(&self, now: Moment) -> bool {
        matches!(self.kind, Kind::Held { until, .. } if until <= now)
    }
}

fn count<'a>(uses: impl Iterator<Item = &'a Use>) -> i64 {
    i64::try_from(uses.count()).unwrap_or(i64::MAX)
}

//! Goods that move between the web shop and a store, at once or with a while on the way.

use super::inventory::number;
use super::{Done, Shop, expect, uuid};
use crate::areas::promo::model::Refusal;
use crate::prove::model::Moment;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Products and how much of them, in thousandths. Each occurs once.
pub(crate) type Goods = Vec<(Uuid, i64)>;

/// What becomes of goods on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Receive,
    Lose,
    /// All that is left goes back.
    Cancel,
}

impl Fate {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Lose => "lose",
            Self::Cancel => "cancel",
        }
    }
}

/// What was sent of a product, and what has become of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    sent: i64,
    received: i64,
    lost: i64,
    returned: i64,
}

impl Sent {
    fn on_the_way(self) -> i64 {
        self.sent - self.received - self.lost - self.returned
    }
}

/// Goods that were sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Transfer {
    from: Uuid,
    to: Uuid,
    goods: BTreeMap<Uuid, Sent>,
    ended: Option<(Moment, bool)>,
}

impl Shop {
    /// The inventory id of a product at a location.
    pub(super) fn stock_at(&self, product: Uuid, location: Uuid) -> Uuid {
        self.stores
            .iter()
            .find(|(_, held)| (held.product, held.location) == (product, location))
            .map_or(product, |(id, _)| *id)
    }

    /// Brings stock of goods to a location, or away from it with a negative sign, and tells of each.
    fn carry(&mut self, goods: &[(Uuid, i64)], location: Uuid, sign: i64) -> Vec<Value> {
        goods
            .iter()
            .map(|(product, quantity)| {
                let stock = self.stock_at(*product, location);
                self.move_stock_at(stock, sign * quantity)
            })
            .collect()
    }

    /// What there is of a product everywhere, lost or not.
    fn ever(&self, product: Uuid) -> i64 {
        let stores = self.stores.values().filter(|held| held.product == product);
        let sent = self.transfers.values();
        let sent = sent.filter_map(|transfer| transfer.goods.get(&product));
        self.stock[&product] * 1000
            + stores.map(|held| held.quantity).sum::<i64>()
            + sent.map(|sent| sent.on_the_way() + sent.lost).sum::<i64>()
    }

    /// Nothing comes or goes on the way but what is lost.
    fn is_all_there(&self, next: &Self) -> bool {
        let mut products = self.stock.keys();
        products.all(|product| self.ever(*product) == next.ever(*product))
    }

    /// Why goods cannot leave.
    pub(super) fn transfer_refusals(&self, from: Uuid, goods: &[(Uuid, i64)]) -> Vec<Refusal> {
        let short: Vec<Value> = goods
            .iter()
            .filter_map(|(product, quantity)| {
                let stock = self.stock_at(*product, from);
                (!self.has(stock, *quantity)).then(|| self.shortage_at(stock, *quantity))
            })
            .collect();
        match short.is_empty() {
            true => Vec::new(),
            false => vec![("INSUFFICIENT_INVENTORY", json!({ "shortages": short }))],
        }
    }

    /// Goods have moved, or were sent.
    pub(super) fn transferred(
        &self,
        from: Uuid,
        to: Uuid,
        goods: &[(Uuid, i64)],
        in_transit: bool,
        body: &Value,
    ) -> Done {
        if !self.transfer_refusals(from, goods).is_empty() {
            return Err("there is not so much in stock");
        }
        let mut next = self.clone();
        let left = next.carry(goods, from, -1);
        let mut answer = json!({ "success": true, "action": "transfer" });
        if in_transit {
            let id = uuid(&body["transfer_id"]).ok_or("a transfer without an id")?;
            let sent = goods.iter().map(|(product, quantity)| {
                let sent = Sent {
                    sent: *quantity,
                    ..Sent::default()
                };
                (*product, sent)
            });
            let transfer = Transfer {
                from,
                to,
                goods: sent.collect(),
                ended: None,
            };
            if next.transfers.insert(id, transfer).is_some() {
                return Err("a transfer that there is already");
            }
            answer["transfer_id"] = json!(id);
            answer["lines"] = json!(left);
        } else {
            let came = next.carry(goods, to, 1);
            let both = left.into_iter().zip(came).flat_map(|(a, b)| [a, b]);
            answer["lines"] = both.collect();
        }
        expect(answer, body)?;
        debug_assert!(self.is_all_there(&next), "{self:?} {next:?}");
        Ok(Some(vec![next]))
    }

    /// Why this cannot become of goods on the way.
    pub(super) fn fate_refusals(
        &self,
        id: Uuid,
        fate: Fate,
        goods: &[(Uuid, i64)],
    ) -> Vec<Refusal> {
        let Some(transfer) = self.transfers.get(&id) else {
            let details = json!({ "transfer_id": id });
            return vec![("STOCK_TRANSFER_NOT_FOUND", details)];
        };
        if let Some((at, cancelled)) = transfer.ended
            && (cancelled || fate == Fate::Cancel)
        {
            let at = self.clock.time(at);
            let details = json!({ "transfer_id": id, "ended_at": at, "cancelled": cancelled });
            return vec![("TRANSFER_ENDED", details)];
        }
        let excess: Vec<Value> = goods
            .iter()
            .filter_map(|(product, quantity)| {
                let sent = transfer.goods.get(product).copied().unwrap_or_default();
                (*quantity > sent.on_the_way()).then(|| {
                    json!({
                        "product_id": product, "sent": number(sent.sent), "received": number(sent.received),
                        "lost": number(sent.lost), "requested": number(*quantity),
                    })
                })
            })
            .collect();
        match excess.is_empty() {
            true => Vec::new(),
            false => vec![(
                "TRANSFER_EXCEEDED",
                json!({ "transfer_id": id, "lines": excess }),
            )],
        }
    }

    /// Goods on the way have come, are lost, or are back.
    pub(super) fn fate_booked(
        &self,
        id: Uuid,
        fate: Fate,
        goods: &[(Uuid, i64)],
        body: &Value,
    ) -> Done {
        if !self.fate_refusals(id, fate, goods).is_empty() {
            return Err("not so much is on the way");
        }
        let mut next = self.clone();
        let mut transfer = self.transfers[&id].clone();
        let goods: Goods = match fate {
            Fate::Cancel => {
                let left = transfer.goods.iter();
                let left = left.map(|(product, sent)| (*product, sent.on_the_way()));
                left.filter(|(_, left)| *left > 0).collect()
            }
            _ => goods.to_vec(),
        };
        for (product, quantity) in &goods {
            let sent = transfer.goods.entry(*product).or_default();
            match fate {
                Fate::Receive => sent.received += quantity,
                Fate::Lose => sent.lost += quantity,
                Fate::Cancel => sent.returned += quantity,
            }
        }
        let moved = match fate {
            Fate::Receive => next.carry(&goods, transfer.to, 1),
            Fate::Lose => Vec::new(),
            Fate::Cancel => next.carry(&goods, transfer.from, 1),
        };
        if transfer.goods.values().all(|sent| sent.on_the_way() == 0) {
            transfer.ended = Some((self.clock.now, fate == Fate::Cancel));
        }
        next.transfers.insert(id, transfer);
        let answer = json!({
            "success": true, "action": fate.name(), "transfer_id": id, "lines": moved,
        });
        expect(answer, body)?;
        debug_assert!(self.is_all_there(&next), "{self:?} {next:?}");
        Ok(Some(vec![next]))
    }

    /// What is on the way, and what was lost there.
    pub(super) fn transit_books(&self) -> Value {
        let mut sums: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
        for (product, sent) in self.transfers.values().flat_map(|t| &t.goods) {
            let (on_the_way, lost) = sums.entry(*product).or_default();
            *on_the_way += sent.on_the_way();
            *lost += sent.lost;
        }
        let sums = sums.into_iter().filter(|(_, sums)| *sums != (0, 0));
        let sums = sums.map(|(product, (on_the_way, lost))| {
            let sums = json!([number(on_the_way), number(lost)]);
            (product.to_string(), sums)
        });
        Value::Object(sums.collect::<Map<_, _>>())
    }
}

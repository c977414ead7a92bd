//! What staff may do from here, as calls of the RPCs that do it. Whether it may be done is the database's to say; here stands only where
//! it is offered.

use serde_json::{Value, json};

/// Something that is done to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The money of an order is there.
    AcceptPayment,
    /// A proof shows no payment.
    RejectPayment,
    /// An order ends before it is shipped.
    Cancel,
    /// Its goods are being prepared.
    Process,
    /// They have left.
    Ship,
    /// They are handed over.
    Fulfill,
    /// The money goes back.
    Refund,
    /// An order that has ended begins again.
    Reopen,
    /// Money by card goes back.
    RefundPayment,
    /// An event is sent again.
    RetryDelivery,
    /// An endpoint gets events again.
    SwitchOn,
    /// What an audit has found is corrected.
    Resolve,
    /// It is let be.
    Accept,
    /// A batch is given to a driver.
    Assign,
    /// Stock comes or goes.
    Adjust,
    /// A picking session ends.
    Abandon,
}

impl Deed {
    /// The RPC that does it; for tests and for people who look into the page, also its name here.
    pub fn rpc(self) -> &'static str {
        match self {
            Self::AcceptPayment => "accept_payment",
            Self::RejectPayment => "reject_payment",
            Self::Cancel => "cancel_order",
            Self::Process => "process_order",
            Self::Ship => "ship_order",
            Self::Fulfill => "fulfill_order",
            Self::Refund => "refund_order",
            Self::Reopen => "reopen_order",
            Self::RefundPayment => "refund_payment",
            Self::RetryDelivery => "retry_delivery",
            Self::SwitchOn => "update_webhook_endpoint",
            Self::Resolve => "resolve_finding",
            Self::Accept => "accept_finding",
            Self::Assign => "assign_batch",
            Self::Adjust => "manage_inventory",
            Self::Abandon => "abandon_picking_session",
        }
    }

    /// Whether it takes something away from somebody.
    pub fn is_grave(self) -> bool {
        matches!(
            self,
            Self::Cancel
                | Self::RejectPayment
                | Self::Refund
                | Self::RefundPayment
                | Self::Abandon
                | Self::Accept
        )
    }

    /// What has to be said with it.
    pub fn fields(self) -> &'static [Field] {
        const fn field(to: &'static str, kind: Kind, required: bool) -> Field {
            Field { to, kind, required }
        }
        match self {
            Self::RejectPayment => {
                const {
                    &[
                        field("/p_reason", Kind::Reason(500), true),
                        field("/p_cancel", Kind::CancelAsWell, false),
                    ]
                }
            }
            Self::Ship => const { &[field("/p_tracking", Kind::Tracking, false)] },
            Self::Refund => const { &[field("/p_outside", Kind::Outside, false)] },
            Self::Reopen => const { &[field("/p_paid", Kind::Paid, false)] },
            Self::RefundPayment => const { &[field("/p_amount", Kind::Amount, false)] },
            Self::Resolve => const { &[field("/p_reason", Kind::Reason(100), true)] },
            Self::Accept => {
                const {
                    &[
                        field("/p_reason", Kind::Reason(200), true),
                        field("/p_name", Kind::Name, true),
                    ]
                }
            }
            Self::Assign => {
                const {
                    &[
                        field("/p_driver_user_id", Kind::Driver, true),
                        field("/p_reason", Kind::Reason(200), false),
                    ]
                }
            }
            Self::Adjust => {
                const {
                    &[
                        field("/p_lines/0/delta", Kind::Change, true),
                        field("/p_reason", Kind::Reason(100), true),
                    ]
                }
            }
            _ => &[],
        }
    }

    /// The argument that makes it act once, however often it is sent.
    pub fn once(self) -> Option<&'static str> {
        match self {
            Self::Cancel => Some("/p_idempotency_key"),
            Self::RefundPayment | Self::Adjust => Some("/p_reference"),
            _ => None,
        }
    }
}

/// Something that is said with a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it stands in the arguments, as a JSON pointer.
    pub to: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether it must be said.
    pub required: bool,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Why, in so many characters.
    Reason(u32),
    /// Who decides it.
    Name,
    /// The carrier's number.
    Tracking,
    /// Whether the order is cancelled as well.
    CancelAsWell,
    /// Whether the money was given back in another way.
    Outside,
    /// Whether the money is there already.
    Paid,
    /// So much of it, in minor units; all without one.
    Amount,
    /// Which driver.
    Driver,
    /// How much came (or, below nothing, went).
    Change,
}

impl Kind {
    /// What was typed, as the RPC takes it; `None` for what is nothing of the kind. What is left empty is null.
    pub fn read(self, typed: &str) -> Option<Value> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Some(Value::Null);
        }
        match self {
            Self::Reason(most) => {
                (typed.chars().count() <= most as usize).then(|| Value::from(typed))
            }
            Self::Name | Self::Tracking => {
                (typed.chars().count() <= 200).then(|| Value::from(typed))
            }
            Self::CancelAsWell | Self::Outside | Self::Paid => Some(Value::from(typed == "true")),
            Self::Amount => typed.parse::<u64>().ok().map(Value::from),
            Self::Driver => Some(Value::from(typed)),
            Self::Change => {
                // As it is typed: a number with decimals is not what is nearest to it.
                let number: Value = serde_json::from_str(typed.trim_start_matches('+')).ok()?;
                number.is_number().then_some(number)
            }
        }
    }

    /// Whether it is said by a tick.
    pub fn is_tick(self) -> bool {
        matches!(self, Self::CancelAsWell | Self::Outside | Self::Paid)
    }
}

/// A deed that is offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What is done.
    pub deed: Deed,
    /// To what, as people call it.
    pub to: String,
    /// The arguments that are known.
    pub arguments: Value,
}

impl Action {
    fn new(deed: Deed, to: &str, arguments: Value) -> Self {
        Self {
            deed,
            to: to.to_owned(),
            arguments,
        }
    }

    /// What is offered for an order.
    pub fn of_order(order: &Value) -> Vec<Self> {
        let text = |name: &str| order[name].as_str().unwrap_or_default();
        let is_unshipped = matches!(text("fulfillment"), "unfulfilled" | "processing");
        let is_open = !matches!(text("fulfillment"), "shipped" | "delivered");
        let has_proof = order["payment_proofs"]
            .as_array()
            .is_some_and(|proofs| proofs.iter().any(|proof| proof["status"] == "submitted"));
        let mut deeds = Vec::new();
        match text("status") {
            "pending_payment" => {
                deeds.push(Deed::AcceptPayment);
                if has_proof {
                    deeds.push(Deed::RejectPayment);
                }
                deeds.push(Deed::Cancel);
            }
            status @ ("confirmed" | "paid") => {
                if text("fulfillment") == "unfulfilled" {
                    deeds.push(Deed::Process);
                }
                if is_open {
                    deeds.push(Deed::Ship);
                }
                deeds.push(Deed::Fulfill);
                if status == "confirmed" {
                    deeds.push(Deed::AcceptPayment);
                }
                if is_unshipped || status == "confirmed" {
                    deeds.push(Deed::Cancel);
                }
                if status == "paid" {
                    deeds.push(Deed::Refund);
                }
            }
            "fulfilled" => deeds.push(Deed::Refund),
            "expired" => deeds.push(Deed::Reopen),
            _ => {}
        }
        let to = format!("#{}", order["number"]);
        let id = &order["id"];
        deeds
            .into_iter()
            .map(|deed| Self::new(deed, &to, json!({ "p_order_id": id })))
            .collect()
    }

    /// What is offered for a payment by card of an order.
    pub fn of_payment(payment: &Value) -> Vec<Self> {
        let whole = |name: &str| payment[name].as_i64().unwrap_or_default();
        let is_money = matches!(
            payment["status"].as_str(),
            Some("succeeded" | "refund_due" | "flagged")
        );
        match is_money && whole("refund_asked") < whole("amount") {
            true => vec![Self::new(
                Deed::RefundPayment,
                payment["provider_id"].as_str().unwrap_or_default(),
                json!({ "p_payment_id": payment["id"] }),
            )],
            false => Vec::new(),
        }
    }

    /// What is offered for a delivery.
    pub fn of_delivery(delivery: &Value) -> Vec<Self> {
        match delivery["state"].as_str() {
            Some("dead" | "skipped") => vec![Self::new(
                Deed::RetryDelivery,
                &format!("{}", delivery["id"]),
                json!({ "p_delivery_id": delivery["id"] }),
            )],
            _ => Vec::new(),
        }
    }

    /// What is offered for an endpoint that was switched off.
    pub fn of_endpoint(endpoint: &Value) -> Vec<Self> {
        match endpoint["active"] == false && endpoint["channel"] == "webhook" {
            true => vec![Self::new(
                Deed::SwitchOn,
                endpoint["name"].as_str().unwrap_or_default(),
                json!({ "p_endpoint_id": endpoint["id"], "p_active": true }),
            )],
            false => Vec::new(),
        }
    }

    /// What is offered for a finding of an audit.
    pub fn of_finding(finding: &Value, title: &str) -> Vec<Self> {
        let arguments = json!({ "p_finding_id": finding["id"] });
        let deeds: &[Deed] = match finding["status"].as_str() {
            Some("open") => &[Deed::Resolve, Deed::Accept],
            Some("accepted") => &[Deed::Resolve],
            _ => &[],
        };
        deeds
            .iter()
            .map(|deed| Self::new(*deed, title, arguments.clone()))
            .collect()
    }

    /// What is offered for a batch.
    pub fn of_batch(batch: &Value, title: &str) -> Vec<Self> {
        match batch["status"].as_str() {
            Some("available" | "claimed" | "in_progress") => vec![Self::new(
                Deed::Assign,
                title,
                json!({ "p_batch_id": batch["id"] }),
            )],
            _ => Vec::new(),
        }
    }

    /// What is offered for a stock.
    pub fn of_stock(stock: &Value, title: &str) -> Vec<Self> {
        let arguments = json!({
            "p_action": "adjust",
            "p_lines": [{ "inventory_id": stock["id"], "delta": null }],
        });
        vec![Self::new(Deed::Adjust, title, arguments)]
    }

    /// What is offered for a picking session.
    pub fn of_session(session: &Value, title: &str) -> Vec<Self> {
        match session["status"].as_str() {
            Some("picking" | "packing") => vec![Self::new(
                Deed::Abandon,
                title,
                json!({ "p_session_id": session["id"] }),
            )],
            _ => Vec::new(),
        }
    }

    /// The arguments with what was typed, in the order of the deed's fields; or the first field that it does not fit. `fresh` is an
    /// id that nothing else has.
    pub fn fill(&self, typed: &[String], fresh: &str) -> Result<Value, Kind> {
        let mut arguments = self.arguments.clone();
        for (field, typed) in self.deed.fields().iter().zip(typed) {
            let value = field.kind.read(typed).ok_or(field.kind)?;
            match (value, field.required) {
                (Value::Null, true) => return Err(field.kind),
                (Value::Null, false) => {}
                (value, _) => put(&mut arguments, field.to, value),
            }
        }
        if let Some(to) = self.deed.once() {
            put(&mut arguments, to, Value::from(format!("console-{fresh}")));
        }
        Ok(arguments)
    }
}

/// Puts a value where a pointer points; a member of the arguments need not be there yet.
fn put(arguments: &mut Value, pointer: &str, value: Value) {
    match arguments.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => arguments[pointer.trim_start_matches('/')] = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(order: &Value) -> Vec<Deed> {
        Action::of_order(order).iter().map(|one| one.deed).collect()
    }

    #[test]
    fn an_order_offers_what_its_state_allows() {
        let order = |status, fulfillment| json!({ "number": 7, "status": status, "fulfillment": fulfillment });
        let mut pending = order("pending_payment", "unfulfilled");
        assert_eq!(offered(&pending), [Deed::AcceptPayment, Deed::Cancel]);
        pending["payment_proofs"] = json!([{ "status": "rejected" }, { "status": "submitted" }]);
        assert_eq!(
            offered(&pending),
            [Deed::AcceptPayment, Deed::RejectPayment, Deed::Cancel]
        );
        let paid = offered(&order("paid", "unfulfilled"));
        assert_eq!(
            paid,
            [
                Deed::Process,
                Deed::Ship,
                Deed::Fulfill,
                Deed::Cancel,
                Deed::Refund
            ]
        );
        assert_eq!(
            offered(&order("paid", "shipped")),
            [Deed::Fulfill, Deed::Refund]
        );
        assert_eq!(offered(&order("fulfilled", "delivered")), [Deed::Refund]);
        assert_eq!(offered(&order("expired", "unfulfilled")), [Deed::Reopen]);
        for status in ["cancelled", "refunded", "nothing"] {
            assert_eq!(offered(&order(status, "unfulfilled")), [], "{status}");
        }
    }

    #[test]
    fn what_is_typed_stands_where_the_rpc_looks_for_it() {
        let [adjust] = Action::of_stock(&json!({ "id": "i" }), "tea")
            .try_into()
            .expect("one");
        let typed = ["+2.5".to_owned(), " found ".to_owned()];
        assert_eq!(
            adjust.fill(&typed, "f"),
            Ok(json!({
                "p_action": "adjust",
                "p_lines": [{ "inventory_id": "i", "delta": 2.5 }],
                "p_reason": "found",
                "p_reference": "console-f",
            }))
        );
        let of =
            |change: &str, reason: &str| adjust.fill(&[change.to_owned(), reason.to_owned()], "f");
        assert_eq!(of("many", "found"), Err(Kind::Change));
        assert_eq!(of("\"2\"", "found"), Err(Kind::Change));
        assert_eq!(of("", "found"), Err(Kind::Change));
        assert_eq!(of("1", " "), Err(Kind::Reason(100)));
        assert_eq!(of("1", &"x".repeat(101)), Err(Kind::Reason(100)));
    }

    #[test]
    fn what_need_not_be_said_is_left_out() {
        let order =
            json!({ "id": "o", "number": 7, "status": "paid", "fulfillment": "processing" });
        let all = Action::of_order(&order);
        let of = |deed| all.iter().find(|one| one.deed == deed).expect("offered");
        assert_eq!(
            of(Deed::Ship).fill(&[String::new()], "f"),
            Ok(json!({ "p_order_id": "o" }))
        );
        assert_eq!(
            of(Deed::Cancel).fill(&[], "f"),
            Ok(json!({ "p_order_id": "o", "p_idempotency_key": "console-f" }))
        );
        assert_eq!(
            of(Deed::Refund).fill(&["true".to_owned()], "f"),
            Ok(json!({ "p_order_id": "o", "p_outside": true }))
        );
    }

    #[test]
    fn money_goes_back_once() {
        let payment = |status, asked| json!({ "id": "p", "provider_id": "pi_1", "status": status, "amount": 700, "refund_asked": asked });
        assert_eq!(Action::of_payment(&payment("flagged", 0)).len(), 1);
        assert_eq!(Action::of_payment(&payment("succeeded", 699)).len(), 1);
        for (status, asked) in [("refund_due", 700), ("open", 0), ("refunded", 700)] {
            assert_eq!(Action::of_payment(&payment(status, asked)), [], "{status}");
        }
    }

    #[test]
    fn what_has_ended_offers_nothing() {
        let of = |status: &str| json!({ "id": 1, "status": status, "state": status });
        assert_eq!(Action::of_batch(&of("completed"), ""), []);
        assert_eq!(Action::of_session(&of("abandoned"), ""), []);
        assert_eq!(Action::of_finding(&of("resolved"), ""), []);
        assert_eq!(Action::of_delivery(&of("delivered")), []);
        assert_eq!(Action::of_delivery(&of("dead")).len(), 1);
        assert_eq!(Action::of_finding(&of("open"), "").len(), 2);
    }
}

//! What happens, as it is told outside: the types of events with what each says. docs/event-types.md and the webhooks of
//! docs/openapi.json are made of it, and the tests hold every event that they see against it.

use crate::shape::{
    AMOUNT,
    Shape::{
        self, Anything, Currency, Flag, List, Named, Number, Object, OrNull, Says, Text, Uuid,
        Whole, Words,
    },
};

/// A type of events.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// `order.paid`: what it is about, a dot, what happened to it.
    pub name: &'static str,
    /// Whose id its subject is.
    pub subject: &'static str,
    /// What has happened.
    pub about: &'static str,
    /// What it says.
    pub data: Shape,
}

const fn event(
    name: &'static str,
    subject: &'static str,
    about: &'static str,
    data: Shape,
) -> Event {
    Event {
        name,
        subject,
        about,
        data,
    }
}

const fn order(name: &'static str, about: &'static str) -> Event {
    event(name, "order", about, Named("OrderEventData"))
}

const fn batch(name: &'static str, about: &'static str) -> Event {
    event(name, "batch", about, Named("BatchEventData"))
}

/// What more than one of them says, by name.
pub const SCHEMAS: &[(&str, Shape)] = &[
    (
        "OrderEventData",
        Object(
            "An order; amounts and states are those of the moment at which it is sent.",
            &[
                ("order_id", Uuid),
                ("is_new", Says("Whether the order was made with it.", &Flag)),
                ("status", Text),
                ("fulfillment", Text),
                ("tracking", OrNull(&Text)),
                ("total", AMOUNT),
                ("refunded", AMOUNT),
                ("currency", Currency),
            ],
        ),
    ),
    (
        "BatchEventData",
        Object(
            "A delivery batch.",
            &[
                ("batch_id", Uuid),
                ("driver_id", OrNull(&Uuid)),
                ("version", AMOUNT),
                ("reason", OrNull(&Text)),
            ],
        ),
    ),
    (
        "PaymentEventData",
        Object(
            "A payment that somebody has to see to.",
            &[
                ("payment_id", Uuid),
                ("order_id", OrNull(&Uuid)),
                ("amount", AMOUNT),
                ("currency", Currency),
                ("flag", OrNull(&Text)),
            ],
        ),
    ),
    (
        "PackedOrderEventData",
        Object(
            "An order that is done with in its picking session.",
            &[
                ("session_id", Uuid),
                ("order_id", Uuid),
                ("status", Text),
                ("shipment_id", OrNull(&Uuid)),
            ],
        ),
    ),
];

/// All of them, as the page has them.
pub const EVENTS: &[Event] = &[
    order("order.pending_payment", "An order waits for its payment."),
    order(
        "order.confirmed",
        "An order is to be paid on delivery, or its payment is being looked at.",
    ),
    order("order.paid", "An order is paid."),
    order(
        "order.processing",
        "The goods of an order are being got ready.",
    ),
    order("order.partly_shipped", "A part of an order is on its way."),
    order("order.shipped", "An order is on its way."),
    order(
        "order.tracking_changed",
        "An order has another tracking number.",
    ),
    order("order.fulfilled", "An order is at its good end."),
    order("order.cancelled", "An order is cancelled."),
    order("order.expired", "An order was not paid in time."),
    order("order.refunded", "An order is paid back as a whole."),
    order(
        "order.lines_refunded",
        "Some lines of an order are paid back.",
    ),
    order(
        "order.proof_submitted",
        "The buyer says with a proof that they have paid.",
    ),
    order("order.proof_rejected", "The shop does not take the proof."),
    event(
        "order.payment_due",
        "order",
        "An order by bank transfer ends soon unless it is paid; once, and only where mails are written.",
        Object("An order.", &[("order_id", Uuid)]),
    ),
    order(
        "order.corrected",
        "The shop has corrected an order's details.",
    ),
    order(
        "order.moved",
        "A guest's order has become a signed-in user's.",
    ),
    event(
        "payment.refund_due",
        "payment",
        "Money has to go back; `amount` is what is still due.",
        Named("PaymentEventData"),
    ),
    event(
        "payment.flagged",
        "payment",
        "Money has come that pays no order; `flag` says why.",
        Named("PaymentEventData"),
    ),
    batch("batch.created", "A batch is there to be claimed."),
    batch("batch.claimed", "A driver has a batch."),
    batch("batch.assigned", "The shop has given a batch to a driver."),
    batch("batch.renewed", "A driver keeps a batch for longer."),
    batch(
        "batch.shortened",
        "The shop has a driver keep a batch for less long.",
    ),
    batch("batch.started", "A batch is on the road."),
    batch("batch.released", "A driver has given a batch back."),
    batch(
        "batch.expired",
        "A driver has lost a batch, as the lease was over.",
    ),
    batch("batch.completed", "A batch is delivered."),
    batch("batch.cancelled", "A batch is cancelled."),
    batch("batch.deleted", "The shop has deleted a batch."),
    event(
        "sale.completed",
        "sale",
        "A till has sold, taken back or exchanged something.",
        Says(
            "The sale as `pos-sale` answers it, with `customer_id` in place of `customer`.",
            &Anything,
        ),
    ),
    event(
        "sale.voided",
        "sale",
        "A till has taken back a sale of the same shift.",
        Says("The same, voided.", &Anything),
    ),
    event(
        "stock.low",
        "product",
        "Of an active product no more is left than its `low_stock_at`, in the web shop or at a location where one is set; once, and again only after there was more.",
        Object(
            "A product.",
            &[
                ("product_id", Uuid),
                (
                    "location_id",
                    Says("Where; null: in the web shop.", &OrNull(&Uuid)),
                ),
                ("available_quantity", Number),
                ("low_stock_at", Number),
                ("state", Words(&["low", "on_order", "sold_out"])),
            ],
        ),
    ),
    event(
        "stock.oversold_offline",
        "sale",
        "A till has sold offline what was not there.",
        Object(
            "A sale of goods that the books did not have.",
            &[("sale_id", Uuid), ("shortfalls", List(&Anything))],
        ),
    ),
    event(
        "stock.short_pick",
        "product",
        "A picker has not found what the books say is there.",
        Object(
            "What is missing.",
            &[
                ("session_id", Uuid),
                ("product_id", Uuid),
                ("location_id", Uuid),
                ("quantity", Says("What was not found this time.", &Whole)),
                ("quantity_short", Says("And in all.", &AMOUNT)),
                ("reason", OrNull(&Text)),
            ],
        ),
    ),
    event(
        "packing.session_created",
        "picking session",
        "Orders are to be picked.",
        Object(
            "A picking session.",
            &[
                ("session_id", Uuid),
                ("code", Text),
                ("location_id", Uuid),
                ("order_ids", List(&Uuid)),
            ],
        ),
    ),
    event(
        "packing.started",
        "picking session",
        "What was picked is being packed.",
        Object("A picking session.", &[("session_id", Uuid)]),
    ),
    event(
        "packing.progress",
        "picking session",
        "A scan.",
        Object(
            "A line of an order, as it is after the scan.",
            &[
                ("session_id", Uuid),
                ("order_id", Uuid),
                ("product_id", Uuid),
                (
                    "change",
                    Says("Units packed; less than 0: taken out again.", &Whole),
                ),
                ("quantity_packed", AMOUNT),
                ("quantity_needed", AMOUNT),
                ("quantity_short", AMOUNT),
                (
                    "version",
                    Says("The line's: a higher one is newer.", &AMOUNT),
                ),
            ],
        ),
    ),
    event(
        "packing.order_completed",
        "picking session",
        "An order is packed.",
        Named("PackedOrderEventData"),
    ),
    event(
        "packing.order_taken_out",
        "picking session",
        "An order has left its session.",
        Named("PackedOrderEventData"),
    ),
    event(
        "packing.session_ended",
        "picking session",
        "All of a session is packed, or it was given up.",
        Object(
            "A picking session.",
            &[("session_id", Uuid), ("code", Text), ("status", Text)],
        ),
    ),
    event(
        "audit.finding",
        "finding",
        "An audit of the stock has found something anew.",
        Object(
            "What the books do not agree on.",
            &[
                ("finding_id", Uuid),
                ("kind", Text),
                ("product_id", OrNull(&Uuid)),
                ("location_id", OrNull(&Uuid)),
                ("subject_id", OrNull(&Uuid)),
                ("expected", Number),
                ("found", Number),
                ("size", Number),
            ],
        ),
    ),
    event(
        "customer.changed",
        "customer",
        "A customer was made, corrected, merged, linked or erased: read `customers` for what there is now.",
        Object("A customer.", &[("customer_id", Uuid)]),
    ),
    event(
        "loyalty.tier_changed",
        "customer",
        "A customer has another tier.",
        Object(
            "A customer's tier.",
            &[
                ("customer_id", Uuid),
                ("tier", OrNull(&Text)),
                ("tier_before", OrNull(&Text)),
            ],
        ),
    ),
    event(
        "webhook.disabled",
        "endpoint",
        "One of the shop's endpoints was switched off.",
        Object(
            "An endpoint.",
            &[
                ("endpoint_id", Uuid),
                ("reason", Words(&["gone", "failing"])),
                ("failing_since", Shape::Time),
            ],
        ),
    ),
    event(
        "webhook.test",
        "endpoint",
        "From `send_test_event`, to that endpoint alone.",
        Object("An endpoint.", &[("endpoint_id", Uuid)]),
    ),
];

//! Mutants that a few rounds of random histories must find.

use crate::prove::histories::Mutant;

/// The mutants.
pub(crate) const IN_HISTORIES: &[Mutant] = &[
    (
        "get_stock",
        "p.available_quantity - coalesce(sum(c.used), 0)",
        "p.available_quantity",
    ),
    (
        "lock_slots",
        "for no key update",
        "for no key update skip locked",
    ),
    (
        "take_from_row",
        "and p.available_quantity >= p_quantity",
        "",
    ),
    (
        "settle_orders",
        "perform interlock.return_promos(v_ended);",
        "",
    ),
    ("lock_order", "for no key update", ""),
    (
        "apply_money",
        "when p_order.status in ('pending_payment', 'confirmed') then 'paid'",
        "when p_order.paid_at is null then 'paid'",
    ),
    (
        "apply_payment_event",
        "perform interlock.lock_order(order_id);",
        "",
    ),
];

//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "lock_inventory: backwards `order by l.product_id, l.location_id`",
        "It matters that rows are made in one order, whichever: they are made nowhere else.",
    ),
    (
        "lock_inventory: backwards `order by l.first_line`",
        "Whoever reads the list orders it again.",
    ),
    (
        "rebased_lines: backwards `order by l.n`",
        "It is only compared with what the same function has made of the same request.",
    ),
    (
        "find_inventory_problems: never `p_action in ('adjust', 'receive') and not v_of_transfer and interlock.are_plain_lines(p_lines, (cas…`",
        "Plain lines only need no statement: there is nothing to find in them.",
    ),
    (
        "plan_inventory: backwards `order by (p.stock ->> 'first_line')::int`",
        "Whoever reads the list orders it again.",
    ),
    (
        "write_inventory: without `and i.quantity <> s.target`",
        "It only saves writing a row as it was: that is no change, and has no version and no row in the ledger.",
    ),
    (
        "audit_inventory: without `or exists (select from interlock.sales s where s.id = m.reference_id)`",
        "A database test is one transaction, which has written every sale that its audits find: each is looked at in any case.",
    ),
    (
        "audit_inventory: without `where c.order_id is not null`",
        "An id that is null is that of no order, whoever looks for it.",
    ),
    (
        "audit_inventory: without `where f.status <> 'resolved'` (3)",
        "It only saves reading what is resolved: what is counted is open, or was found by this very audit.",
    ),
];

//! Mutants that a schedule of two operations must find.

use super::combined::AS_A_CART;
use crate::prove::interleavings::Mutant;

/// The mutants.
pub(crate) const INTERLEAVED: &[Mutant] = &[
    Mutant {
        name: "take_from_rows: whether to take is decided on what the statement saw first",
        changes: &[
            AS_A_CART,
            ("take_stock", "cardinality(p_product_ids) = 1", "false"),
            (
                "take_from_rows",
                "for no key update of p
  )",
                "for no key update of p
  ),
  taken as (
    update interlock.products p
    set available_quantity = p.available_quantity - l.quantity
    from locked l
    where p.id = l.id
      and p.available_quantity >= l.quantity
  )",
            ),
            ("take_from_rows", "and p.available_quantity >= w.quantity", "and false"),
        ],
        stage: "an unpaid order of u that is due, with the last",
    },
    Mutant {
        name: "lock_wallet: reads without locking",
        changes: &[("lock_wallet", "for no key update", "")],
        stage: "a wallet of u",
    },
    Mutant {
        name: "lock_order: reads without locking",
        changes: &[("lock_order", "for no key update", "")],
        stage: "an order that u has paid",
    },
    Mutant {
        name: "apply_payment_event: does not lock the order",
        changes: &[("apply_payment_event", "perform interlock.lock_order(order_id);", "")],
        stage: "an order of u by card",
    },
    Mutant {
        name: "refund_payment: locks neither the order nor the payment",
        changes: &[
            ("refund_payment", "perform interlock.lock_order(p.order_id) from interlock.payments p where p.id = p_payment_id;", ""),
            ("refund_payment", "for no key update", ""),
        ],
        stage: "an order that u has paid by card",
    },
    Mutant {
        name: "take_product_codes: waits for codes while it holds the stock row",
        changes: &[("take_product_codes", "for no key update nowait", "for no key update")],
        stage: "one product code",
    },
    Mutant {
        name: "checkout: who finds nothing left does not look for the answer of a twin",
        changes: &[(
            "checkout",
            "if v_answer is not null then
      return v_answer::json;
    end if;
    if v_ordered is not null then",
            "if v_ordered is not null then",
        )],
        stage: "one p and one q",
    },
    Mutant {
        name: "checkout: who is to be refused looks for the cart's order after the answer of a twin",
        changes: &[(
            "checkout",
            "    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
    perform interlock.raise_error(v_refusal,",
            "    v_ordered := interlock.find_ordered_cart(v_user_id, p_cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
    perform interlock.raise_error(v_refusal,",
        )],
        stage: "a cart of u, with money for it once",
    },
    Mutant {
        name: "lock_slots: passes over slots that somebody is using",
        changes: &[("lock_slots", "for no key update", "for no key update skip locked")],
        stage: "the last two p in",
    },
    Mutant {
        name: "set_stock_slots: without the gate",
        changes: &[("set_stock_slots", "for no key update", "")],
        stage: "the last two p in",
    },
    Mutant {
        name: "settle_slots: spreads without the gate",
        changes: &[(
            "settle_slots",
            "perform 1 from interlock.products p where p.id = v_owner_id for no key update skip locked;",
            "perform 1 from interlock.products p where p.id = v_owner_id;",
        )],
        stage: "many p in two slots",
    },
    Mutant {
        name: "use_slot: a slot that was waited for is not looked at again",
        changes: &[(
            "use_slot",
            "and s.granted - s.used >= p_units;\n\n",
            ";\n\n",
        )],
        stage: "the last two p in",
    },
    Mutant {
        name: "take_from_slots: what the slots could not do is not undone",
        changes: &[
            (
                "use_slot",
                "raise exception using errcode = 'IL002', message = 'no slot has enough';",
                "perform set_config('prove.failed', 'on', true);",
            ),
            (
                "take_from_slots",
                "insert into interlock.stock_movements",
                "if current_setting('prove.failed', true) = 'on' then
                   perform set_config('prove.failed', '', true);
                   return false;
                 end if;
                 insert into interlock.stock_movements",
            ),
        ],
        stage: "the last two p and",
    },
    Mutant {
        name: "take_from_slots: takes slots in another order than the gate",
        changes: &[(
            "take_from_slots",
            "order by u.product_id",
            "order by u.product_id desc",
        )],
        stage: "the last two p and",
    },
    Mutant {
        name: "checkout: refuses when the slots could not do it",
        changes: &[
            AS_A_CART,
            (
                "checkout",
                "v_owed := interlock.take_stock(",
                "if v_look.slotted is not null then
               perform interlock.raise_error('INSUFFICIENT_INVENTORY', '{}');
             end if;
             v_owed := interlock.take_stock(",
            ),
        ],
        stage: "the last two p in",
    },
    Mutant {
        name: "checkout: the key is claimed after the stock was looked at, and last of all",
        changes: &[
            AS_A_CART,
            (
                "checkout",
                "interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);",
                "interlock.find_idempotent('checkout', p_idempotency_key, v_request);",
            ),
            (
                "checkout",
                "return v_answer::json;\nend",
                "v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);
  return v_answer::json;\nend",
            ),
        ],
        stage: "the last two p in",
    },
    Mutant {
        name: "cover_slots: what is granted may be more than there is",
        changes: &[(
            "cover_slots",
            "set granted = s.used",
            "set granted = s.granted",
        )],
        stage: "many p in two slots",
    },
];

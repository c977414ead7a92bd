//! Mutants that take more than one thing away, because each alone suffices, and those that only a crowd
//! notices. Each names its race.

use crate::areas::inventory::audit_races::AuditScenario;
use crate::areas::inventory::history_races::HistoryScenario;
use crate::areas::inventory::races::InventoryScenario;
use crate::areas::inventory::transfer_races::TransferScenario;
use crate::mutants::Combined;

/// The mutants.
pub(crate) const COMBINED: &[Combined] = &[
    Combined {
        name: "make_history_part: who is late takes no more than who is in time",
        patches: &[(
            "make_history_part",
            "perform interlock.lock_history(p_history);",
            "execute format('lock table only interlock.%I in share update exclusive mode', p_history);",
        )],
        sql: None,
        race: &HistoryScenario::WhileOthersSell,
    },
    Combined {
        name: "audit_inventory: what was given out is taken for what was seen",
        patches: &[(
            "audit_inventory",
            "where a.next_transaction <= v_last.oldest_transaction",
            "where true",
        )],
        sql: None,
        race: &AuditScenario::LateCommit,
    },
    Combined {
        name: "audit_inventory: who was under way is taken for seen",
        patches: &[(
            "audit_inventory",
            "v_audit.oldest_transaction := pg_snapshot_xmin(v_snapshot)",
            "v_audit.oldest_transaction := pg_snapshot_xmax(v_snapshot)",
        )],
        sql: None,
        race: &AuditScenario::LateCommit,
    },
    Combined {
        name: "audit_inventory: without `where age(o.xmin) <= age(v_last.oldest_transaction::xid)`",
        patches: &[(
            "audit_inventory",
            "where age(o.xmin) <= age(v_last.oldest_transaction::xid)",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `where age(r.xmin) <= age(v_last.oldest_transaction::xid)`",
        patches: &[(
            "audit_inventory",
            "where age(r.xmin) <= age(v_last.oldest_transaction::xid)",
            "where true",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `or exists ( select from interlock.cart_reservation_lines l where l.user_id = r.user_id and age(l.xm…`",
        patches: &[(
            "audit_inventory",
            "or exists (\n          select\n          from interlock.cart_reservation_lines l\n          where l.user_id = r.user_id\n            and age(l.xmin) <= age(v_last.oldest_transaction::xid)\n        )",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `where l.user_id = r.user_id`",
        patches: &[(
            "audit_inventory",
            "where l.user_id = r.user_id",
            "where true",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `and age(l.xmin) <= age(v_last.oldest_transaction::xid)`",
        patches: &[(
            "audit_inventory",
            "and age(l.xmin) <= age(v_last.oldest_transaction::xid)",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `or exists (select from interlock.orders o where o.id = m.reference_id)`",
        patches: &[(
            "audit_inventory",
            "or exists (select from interlock.orders o where o.id = m.reference_id)",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `or exists (select from interlock.stock_transfers t where t.id = m.reference_id)`",
        patches: &[(
            "audit_inventory",
            "or exists (select from interlock.stock_transfers t where t.id = m.reference_id)",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `and age(c.xmin) <= age(v_last.oldest_transaction::xid)`",
        patches: &[(
            "audit_inventory",
            "and age(c.xmin) <= age(v_last.oldest_transaction::xid)",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `where age(c.xmin) <= age(v_last.oldest_transaction::xid)`",
        patches: &[(
            "audit_inventory",
            "from interlock.customer_open_orders c\n        where age(c.xmin) <= age(v_last.oldest_transaction::xid)",
            "from interlock.customer_open_orders c",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "audit_inventory: without `where age(l.xmin) <= age(v_last.oldest_transaction::xid)`",
        patches: &[(
            "audit_inventory",
            "where age(l.xmin) <= age(v_last.oldest_transaction::xid)",
            "",
        )],
        sql: None,
        race: &AuditScenario::OnlyWhatMoved,
    },
    Combined {
        name: "lock_inventory: rows are locked in any order",
        patches: &[(
            "lock_inventory",
            "order by i.id\n  for no key update",
            "order by case when pg_backend_pid() % 2 = 0 then i.id end, i.id desc\n  for no key update",
        )],
        sql: None,
        race: &TransferScenario::OppositeWays,
    },
    Combined {
        name: "receive_transfer: whoever books what came looks without a lock",
        patches: &[("lock_transfer", "for no key update", "")],
        sql: None,
        race: &TransferScenario::ThreeReceipts,
    },
    Combined {
        name: "decrement_inventory: read, then write (report 001's lost update)",
        patches: &[(
            "decrement_row",
            "set quantity = i.quantity - p_quantity",
            "set quantity = v_row.quantity - p_quantity",
        )],
        sql: None,
        race: &InventoryScenario::FiveSales,
    },
    Combined {
        name: "decrement_inventory: what was read decides, not what is there",
        patches: &[(
            "decrement_row",
            "and i.quantity >= p_quantity",
            "and v_row.quantity >= p_quantity",
        )],
        sql: None,
        race: &InventoryScenario::TheLastOnes,
    },
];

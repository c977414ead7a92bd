//! Mutants that a schedule of two operations must find.

use crate::prove::interleavings::Mutant;

/// The mutants.
pub(crate) const INTERLEAVED: &[Mutant] = &[
    Mutant {
        name: "act_on_held_batch: holding is not checked again under the lock",
        changes: &[(
            "act_on_held_batch",
            "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and (p_action = 'complete' or b.lease_expires_at > interlock.clock())",
            "",
        )],
        stage: "a batch that u holds",
    },
    Mutant {
        name: "claim_batch: looks at the batch before what the driver holds",
        changes: &[(
            "claim_batch",
            "v_held := interlock.find_held_batch(p_driver_id);
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;",
            "select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    v_held := interlock.find_held_batch(p_driver_id);",
        )],
        stage: "a batch that u holds",
    },
    Mutant {
        name: "give_back_stale_batch: waits for the second row",
        changes: &[(
            "give_back_stale_batch",
            "for no key update nowait",
            "for no key update",
        )],
        stage: "leases of u on x",
    },
];

//! How buyers call.

use crate::harness::calls::Operation;

/// Cart to order.
pub(crate) const CHECKOUT: Operation = Operation::of(&interlock_domain::shop::checkout::CHECKOUT);
/// Cancels an order; an RPC that no function stands before.
pub(crate) const CANCEL_ORDER: Operation = Operation {
    function: "",
    rpc: "cancel_order",
};

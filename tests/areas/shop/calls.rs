//! How buyers call.

use crate::harness::calls::Operation;

/// Cart to order.
pub(crate) const CHECKOUT: Operation = Operation {
    function: "checkout",
    rpc: "checkout",
};
/// Cancels an order; an RPC that no function stands before.
pub(crate) const CANCEL_ORDER: Operation = Operation {
    function: "",
    rpc: "cancel_order",
};

//! How buyers call.

use crate::harness::calls::Operation;

/// Cart to order.
pub(crate) const CHECKOUT: Operation = Operation::of(&interlock_domain::shop::checkout::CHECKOUT);
/// Cancels an order; an RPC that no function stands before.
pub(crate) const CANCEL_ORDER: Operation = Operation {
    function: "",
    rpc: "cancel_order",
};
/// Keeps a cart for some minutes; an RPC as well.
#[cfg(test)]
pub(crate) const RESERVE_CART: Operation = Operation {
    function: "",
    rpc: "reserve_cart",
};
/// Gives it back.
#[cfg(test)]
pub(crate) const RELEASE_CART: Operation = Operation {
    function: "",
    rpc: "release_cart",
};

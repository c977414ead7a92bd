//! Interlock's rules, pure: no IO, no clock, no randomness, no WASM.
//!
//! A function is a value ([`function::Function`]) and a request runs through the sans-IO
//! [`exchange`]: [`exchange::begin`] yields a finished reply or one PostgREST call to make, and
//! [`exchange::resume`] takes what came of that call and yields a reply, the call to repeat or (see [`third_party`]) the next one.
//! Whatever these need from outside (the time, a fresh id, a random number, the host's JSON) comes
//! in as an argument, so the same code is tested natively and runs as WASM.
#![forbid(unsafe_code)]
// The build cuts every `{:?}` out of the modules: only panics have one, and their texts go nowhere.
#![cfg_attr(not(test), deny(clippy::use_debug))]

pub mod addresses;
#[cfg(feature = "describe")]
pub mod describe;
pub mod errors;
pub mod exchange;
pub mod fields;
pub mod function;
pub mod http;
pub mod identity;
pub mod json;
#[cfg(feature = "serde_json")]
mod native_json;
pub mod retry;
pub mod rule;
#[cfg(not(target_arch = "wasm32"))]
pub mod shape;
pub mod third_party;
pub mod upstream;
#[cfg(feature = "serde_json")]
pub mod wire;

// The functions by area, and the list of them.

/// Batches and their drivers.
pub mod delivery {
    pub mod claim_route;
}

/// Carts, orders, wallets.
pub mod shop {
    pub mod cart;
    pub mod checkout;
    pub mod payment_intent;
    pub mod payment_webhook;
}

/// Stock at locations.
pub mod inventory {
    #[expect(
        clippy::module_inception,
        reason = "the function is called as its area is"
    )]
    pub mod inventory;
}

/// Tills.
pub mod pos {
    pub mod pos_sale;
}

/// The warehouse.
pub mod warehouse {
    pub mod pack;
}

/// What has happened, told outside.
pub mod events {
    #[cfg(not(target_arch = "wasm32"))]
    pub mod catalogue;
    pub mod deliver;
    pub mod mail_webhook;
}

/// Promo codes.
pub mod promo {
    pub mod promo_validate;
}

/// The registry: every function. All that the tools know of functions, they know from here.
#[cfg(not(target_arch = "wasm32"))]
pub const FUNCTIONS: &[&function::Function] = &[
    &delivery::claim_route::CLAIM_ROUTE,
    &shop::checkout::CHECKOUT,
    &shop::payment_intent::PAYMENT_INTENT,
    &shop::payment_webhook::PAYMENT_WEBHOOK,
    &inventory::inventory::INVENTORY,
    &pos::pos_sale::POS_SALE,
    &warehouse::pack::PACK,
    &promo::promo_validate::PROMO_VALIDATE,
    &events::deliver::DELIVER,
    &events::mail_webhook::MAIL_WEBHOOK,
];

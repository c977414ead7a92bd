//! The edge function `promo-validate`; what it does is in [`interlock_domain::promo_validate`].
#![cfg(target_arch = "wasm32")]

interlock_edge::export!(interlock_domain::promo_validate::PROMO_VALIDATE);

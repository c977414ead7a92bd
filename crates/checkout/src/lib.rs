//! The edge function `checkout`; what it does is in [`interlock_domain::checkout`].
#![cfg(target_arch = "wasm32")]

interlock_edge::export!(interlock_domain::checkout::CHECKOUT);

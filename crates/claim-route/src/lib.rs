//! The edge function `claim-route`; what it does is in [`interlock_domain::claim_route`].
#![cfg(target_arch = "wasm32")]

interlock_edge::export!(interlock_domain::claim_route::CLAIM_ROUTE);

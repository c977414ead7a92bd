//! The console that the local stack serves where Studio would be, and that any host can serve against a project. Its pages about the shop
//! are for staff: health, lists, an order's whole story, and what may be done, through the RPCs that do it. Its race lab is the local
//! stack's alone: the same race, run from this browser over HTTP, against the code of an incident report and against Interlock.
//!
//! No framework: pages that are drawn anew after each answer are a few hundred lines over `web-sys`, and a framework would be most
//! of what is loaded.

pub mod actions;
pub mod health;
pub mod lists;
pub mod money;
pub mod race;
pub mod replica;
pub mod reports;
pub mod route;
pub mod session;
pub mod setup;
pub mod story;
pub mod texts;

#[cfg(target_arch = "wasm32")]
mod browse;
#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
mod chart;
#[cfg(target_arch = "wasm32")]
mod dialog;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod lab;
#[cfg(target_arch = "wasm32")]
mod order;
#[cfg(target_arch = "wasm32")]
mod ours;
#[cfg(target_arch = "wasm32")]
mod overview;
#[cfg(target_arch = "wasm32")]
mod panel;
#[cfg(target_arch = "wasm32")]
mod run;
#[cfg(target_arch = "wasm32")]
mod shell;
#[cfg(target_arch = "wasm32")]
mod shop;
#[cfg(target_arch = "wasm32")]
mod steps;
#[cfg(target_arch = "wasm32")]
mod theirs;

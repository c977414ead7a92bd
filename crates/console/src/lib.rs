//! The console that the local stack serves where Studio would be. Its first page is the race lab: the same race, run from this
//! browser over HTTP, against the code of an incident report and against Interlock.
//!
//! No framework: one page that is drawn anew after each race is a few hundred lines over `web-sys`, and a framework would be most
//! of what is loaded.

pub mod race;
pub mod setup;
pub mod texts;

#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
mod chart;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod ours;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
mod panel;
#[cfg(target_arch = "wasm32")]
mod reports;
#[cfg(target_arch = "wasm32")]
mod run;

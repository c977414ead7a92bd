//! Stock, checkout, orders, wallets, codes of digital products, slots.

#[cfg(test)]
mod arithmetic;
pub(crate) mod calls;
#[cfg(test)]
mod cards;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod guest_scenes;
pub(crate) mod guest_stages;
mod histories;
#[cfg(test)]
mod limit_scenes;
#[cfg(test)]
mod lock_scenes;
#[cfg(test)]
mod lost_answers;
pub(crate) mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod part_scenes;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod payment_intent;
#[cfg(test)]
pub(crate) mod payment_races;
pub(crate) mod payment_stages;
#[cfg(test)]
mod payment_webhook;
#[cfg(test)]
mod price_scenes;
#[cfg(test)]
pub(crate) mod races;
#[cfg(test)]
mod reopen_scenes;
#[cfg(test)]
mod reservation_scenes;
pub(crate) mod reservation_stages;
#[cfg(test)]
mod restock;
pub(crate) mod rows;
#[cfg(test)]
mod scenes;
#[cfg(test)]
pub(crate) mod slot_races;
#[cfg(test)]
mod slot_scenes;
pub(crate) mod slot_stages;
pub(crate) mod split_stages;
pub(crate) mod stages;
#[cfg(test)]
mod stand_in;
pub(crate) mod stripe;
#[cfg(test)]
mod term_scenes;
pub(crate) mod term_stages;
#[cfg(test)]
mod wallet_scenes;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "",
    #[cfg(test)]
    documented: &[
        |bench| Box::pin(documented::checkout(bench)),
        |bench| Box::pin(payment_intent::documented(bench)),
        |bench| Box::pin(payment_webhook::documented(bench)),
    ],
    #[cfg(test)]
    scenes: &[
        scenes::SCENES,
        guest_scenes::SCENES,
        limit_scenes::SCENES,
        lock_scenes::SCENES,
        part_scenes::SCENES,
        price_scenes::SCENES,
        reopen_scenes::SCENES,
        reservation_scenes::SCENES,
        slot_scenes::SCENES,
        term_scenes::SCENES,
        wallet_scenes::SCENES,
    ],
    #[cfg(test)]
    scene_rows: scenes::ROWS,
    #[cfg(test)]
    after_scene: slot_scenes::AFTERWARDS,
    stages: &[
        guest_stages::STAGES,
        stages::STAGES,
        payment_stages::STAGES,
        reservation_stages::STAGES,
        slot_stages::STAGES,
        split_stages::STAGES,
        term_stages::STAGES,
    ],
    sweeps: &[
        stages::ORDERS,
        reservation_stages::RESERVATIONS,
        slot_stages::SLOTS,
    ],
    histories: Some(&histories::SHOP),
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};

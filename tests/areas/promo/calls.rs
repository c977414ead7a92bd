//! How customers ask about codes.

use crate::harness::calls::Operation;

/// What a code is worth, and a hold on it.
pub(crate) const PROMO_VALIDATE: Operation =
    Operation::of(&interlock_domain::promo::promo_validate::PROMO_VALIDATE);

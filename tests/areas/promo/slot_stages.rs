//! What is interleaved where uses are in slots, which nobody may see.

use crate::areas::promo::stages::HOLDS;
use crate::areas::promo::stages::{
    BUY_P_WITH_K, COUNT_USE, EXPIRE_HOLDS, HOLD_IS_OVER, RELEASE_HOLD, U_HOLDS_K_UNCOUNTED,
    VALIDATE_K,
};
use crate::areas::shop::slot_stages::MANY_P_IN_SLOTS;
use crate::areas::shop::slot_stages::SLOTS;
use crate::prove::interleavings::{Operation, Pairs, Stage, USERS, shop, user};

/// Two uses, one in each of two slots.
pub(crate) const LAST_USES_OF_K_IN_SLOTS: &str = "insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses, max_uses_per_user)
  values ('{k}', 'K {k}', 'percentage', 10, 2, 1);
  select interlock.make_slots('{k}', 2);
  update interlock.promo_codes set use_slots = 2 where id = '{k}';
  update interlock.counter_slots set granted = 1 where owner_id = '{k}'";

/// The use of the first slot is taken and not settled.
pub(crate) const ONE_USE_IS_TAKEN: &str =
    "update interlock.counter_slots set used = 1 where owner_id = '{k}' and slot = 0";

/// The other one was counted by the shop.
pub(crate) const THE_OTHER_IS_COUNTED: &str = "update interlock.counter_slots set used = 1 where owner_id = '{k}' and slot = 1;
  insert into interlock.promo_redemptions (promo_id, status, redeemed_at) values ('{k}', 'redeemed', now())";

pub(crate) const SETTLE_PROMOS: &str = "select to_json(interlock.settle_slots() is not null)";

pub(crate) const LOWER_LIMIT: &str =
    "update interlock.promo_codes set max_uses = 1 where id = '{k}' returning 'null'";

pub(crate) const K_WITHOUT_SLOTS: &str = "select public.set_promo_slots('{k}', 0)";

pub(crate) const K_IN_THREE_SLOTS: &str = "select public.set_promo_slots('{k}', 3)";

pub(crate) const fn settle_promos() -> Operation {
    shop("promo uses are settled", SETTLE_PROMOS).sweeping(SLOTS)
}

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "the last two uses of k in two slots",
        given: &[USERS, MANY_P_IN_SLOTS, LAST_USES_OF_K_IN_SLOTS],
        operations: &[
            user("u", "u holds k", VALIDATE_K),
            user("v", "v holds k", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("v", "v buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            shop("the shop counts a use of k", COUNT_USE),
            shop("the shop lowers the limit of k", LOWER_LIMIT),
            shop(
                "the shop raises the limit of k",
                "update interlock.promo_codes set max_uses = 50 where id = '{k}' returning 'null'",
            ),
            shop("the shop switches the slots of k off", K_WITHOUT_SLOTS),
            shop("the shop gives k three slots", K_IN_THREE_SLOTS),
            settle_promos(),
        ],
        offers: &[SLOTS],
        pairs: Pairs::All,
    },
    Stage {
        name: "all uses of k in two slots, one in a hold of u that is over",
        given: &[
            USERS,
            MANY_P_IN_SLOTS,
            LAST_USES_OF_K_IN_SLOTS,
            ONE_USE_IS_TAKEN,
            U_HOLDS_K_UNCOUNTED,
            HOLD_IS_OVER,
            THE_OTHER_IS_COUNTED,
        ],
        operations: &[
            user("u", "u holds k again", VALIDATE_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            user("v", "v holds k", VALIDATE_K),
            user("v", "v buys with k", BUY_P_WITH_K),
            shop("the shop counts a use of k", COUNT_USE),
            shop("the shop switches the slots of k off", K_WITHOUT_SLOTS),
            shop("holds expire", EXPIRE_HOLDS)
                .or("select 0")
                .sweeping(HOLDS),
        ],
        offers: &[HOLDS, SLOTS],
        pairs: Pairs::All,
    },
];

//! Uses of promo codes, and holds on them.

use crate::areas::shop::stages::{BUY_P_CASH, MANY_P};
use crate::prove::interleavings::{Pairs, Stage, Sweep, USERS, shop, user};

/// Holds on promo codes whose time is over.
pub(crate) const HOLDS: Sweep = Sweep {
    name: "the holds whose time is over",
    clear: "update interlock.promo_redemptions r set held_until = now() + interval '1 day' from auth.users u
                 where r.status = 'held' and r.held_until < now() + interval '1 hour'
                   and u.id = r.user_id and u.email like '%@test.example';",
    others: "select exists (select from interlock.promo_redemptions r left join auth.users u on u.id = r.user_id
                 where r.status = 'held' and r.held_until <= now()
                   and coalesce(u.email not like '%@test.example', true))",
};

pub(crate) const ONE_USE_OF_K: &str = "insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses, max_uses_per_user)
  values ('{k}', 'K {k}', 'percentage', 10, 1, 1)";

pub(crate) const MANY_USES_OF_K: &str =
    "insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
  values ('{k}', 'K {k}', 'percentage', 10, 20)";

pub(crate) const U_HOLDS_K_UNCOUNTED: &str = "insert into interlock.promo_redemptions (promo_id, user_id, cart_id, status, discount, currency, held_until)
  values ('{k}', '{u}', '{c}', 'held', 70, 'USD', now() + interval '10 minutes');
  insert into interlock.promo_user_uses (promo_id, user_id, used) values ('{k}', '{u}', 1)";

pub(crate) const IT_IS_COUNTED: &str =
    "update interlock.promo_codes set used_count = 1 where id = '{k}'";

pub(crate) const HOLD_IS_OVER: &str = "update interlock.promo_redemptions set held_until = now() - interval '1 minute' where promo_id = '{k}'";

pub(crate) const FIRST_ORDERS_ONLY: &str =
    "insert into interlock.promo_codes (id, code, discount_type, discount_value, first_order_only)
  values ('{k}', 'K {k}', 'percentage', 10, true), ('{l}', 'L {l}', 'percentage', 10, true)";

pub(crate) const EXPIRE_HOLDS: &str = "select interlock.expire_promo_holds()";

pub(crate) const RELEASE_HOLD: &str =
    "select public.validate_promo('K {k}', p_cart_id => '{c}', p_action => 'release')";

pub(crate) const COUNT_USE: &str = "select public.increment_promo_usage('{k}')";

pub(crate) const BUY_P_WITH_K: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_promo_code => 'K {k}', p_cart_id => '{c}')"#;

pub(crate) const VALIDATE_K: &str = r#"select public.validate_promo('K {k}', '[{"product_id": "{p}", "quantity": 1}]', p_cart_id => '{c}')"#;

pub(crate) const VALIDATE_K_FOR_E: &str = r#"select public.validate_promo('K {k}', '[{"product_id": "{p}", "quantity": 1}]', p_cart_id => '{e}')"#;

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "one use of k",
        given: &[USERS, MANY_P, ONE_USE_OF_K],
        operations: &[
            user("u", "u holds k", VALIDATE_K),
            user("u", "u holds k for another cart", VALIDATE_K_FOR_E),
            user("v", "v holds k", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("v", "v buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            shop("the shop counts a use of k", COUNT_USE),
            shop(
                "the shop ends k",
                "update interlock.promo_codes set active = false where id = '{k}' returning 'null'",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "the only use of k, held by u",
        given: &[
            USERS,
            MANY_P,
            ONE_USE_OF_K,
            U_HOLDS_K_UNCOUNTED,
            IT_IS_COUNTED,
        ],
        operations: &[
            user("u", "u holds k again", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            user("v", "v holds k", VALIDATE_K),
            shop("the shop counts a use of k", COUNT_USE),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "the only use of k, in a hold of u that is over",
        given: &[
            USERS,
            MANY_P,
            ONE_USE_OF_K,
            U_HOLDS_K_UNCOUNTED,
            IT_IS_COUNTED,
            HOLD_IS_OVER,
        ],
        operations: &[
            user("u", "u holds k again", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            user("v", "v holds k", VALIDATE_K),
            user("v", "v buys with k", BUY_P_WITH_K),
            shop("the shop counts a use of k", COUNT_USE),
            shop("holds expire", EXPIRE_HOLDS)
                .or("select 0")
                .sweeping(HOLDS),
        ],
        offers: &[HOLDS],
        pairs: Pairs::All,
    },
    Stage {
        name: "many uses of k",
        given: &[USERS, MANY_P, MANY_USES_OF_K],
        operations: &[
            user("u", "u holds k", VALIDATE_K),
            user("u", "u holds k for another cart", VALIDATE_K_FOR_E),
            user("u", "u buys with k", BUY_P_WITH_K),
            user(
                "u",
                "u buys another cart with k",
                r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_promo_code => 'K {k}', p_cart_id => '{e}')"#,
            ),
            user("u", "u gives the hold back", RELEASE_HOLD),
            shop(
                "the shop lets u hold two",
                "update interlock.promo_codes set holds_per_user = 2 where id = '{k}' returning 'null'",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "codes for first orders",
        given: &[USERS, MANY_P, FIRST_ORDERS_ONLY],
        operations: &[
            user("u", "u buys with k", BUY_P_WITH_K),
            user(
                "u",
                "u buys with l",
                r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_promo_code => 'L {l}', p_cart_id => '{e}')"#,
            ),
            user("u", "u buys without a code", BUY_P_CASH),
            user(
                "u",
                "u guesses a code",
                r#"select public.validate_promo('wrong {c}', p_subtotal => 100)"#,
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
];

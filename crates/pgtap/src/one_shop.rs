//! What of supabase/tests holds in an installation of one shop only, and why. All else holds as one shop of many, too.

use std::path::Path;

use pgtap::Report;

struct Only {
    /// Below supabase/tests.
    file: &'static str,
    why: &'static str,
    /// What the tests say, on their first lines; the whole file, if there are none.
    tests: &'static [&'static str],
}

const fn only(file: &'static str, why: &'static str, tests: &'static [&'static str]) -> Only {
    Only { file, why, tests }
}

const PARTS: &str =
    "parts of histories are the installation's, and as large as the largest that any shop asks for";
const KEYS: &str = "the keys hold the shop, too (shops/99-shop-key.sql)";
const ACCOUNT: &str =
    "an account takes nothing along: interlock.erase_user does, in each shop (25-erase-user.sql)";
const SETTINGS: &str = "the role passes over row security, and reaches the settings of every shop in the table; the shop's own code has views";
const UPSERT: &str = "`on conflict` needs a key of the view's columns, and the shop is in none";

/// An entry that is not needed any more is a failure.
const ONLY: &[Only] = &[
    only("29-history-parts.sql", PARTS, &[]),
    only("29-part-problems.sql", PARTS, &[]),
    only(
        "08-house.sql",
        UPSERT,
        &[
            "the shop writes what is there or is not",
            "the shop inserts, updates and upserts through the views",
        ],
    ),
    only("shop/24-restock.sql", UPSERT, &["and an upsert"]),
    only(
        "delivery/02-roles.sql",
        SETTINGS,
        &["service: select settings", "service: update settings"],
    ),
    only(
        "promo/15-promo-schema.sql",
        SETTINGS,
        &[
            "the owner: update interlock.settings set promo_hold = '1 second'",
            "the owner: update interlock.settings set promo_hold = '1 day'",
            "the owner: update interlock.settings set promo_hold_limit = '1 second'",
            "the owner: update interlock.settings set promo_hold_limit = '90 days'",
        ],
    ),
    only(
        "delivery/04-invariants.sql",
        ACCOUNT,
        &[
            "deleting the account removes the driver",
            "what they held is available again, what they completed stays",
            "and history still says who it was",
        ],
    ),
    only(
        "shop/12-checkout.sql",
        ACCOUNT,
        &["an order outlives its buyer's account"],
    ),
    only(
        "shop/35-order-details.sql",
        ACCOUNT,
        &["a plain deletion does it, too"],
    ),
    only(
        "delivery/09-delivery-schema.sql",
        KEYS,
        &[
            "a driver is a user",
            "a batch has an id",
            "interlock.batches(driver_id) should reference interlock.drivers(user_id)",
        ],
    ),
    only(
        "shop/23-reading-orders.sql",
        KEYS,
        &["interlock.order_events(order_id) should reference interlock.orders(id)"],
    ),
];

/// Takes from a report what is expected not to hold, and adds what is not on the list rightly.
pub(crate) fn settle(file: &Path, report: &mut Report) {
    settle_by(ONLY, file, report);
}

fn settle_by(list: &[Only], file: &Path, report: &mut Report) {
    for only in list.iter().filter(|only| file.ends_with(only.file)) {
        let unneeded = |what: &str| {
            let why = only.why;
            format!(
                "{what} holds as one shop of many, too: take it off the list in crates/pgtap/src/one_shop.rs, which says of it: {why}"
            )
        };
        if only.tests.is_empty() {
            if report.failed + report.problems.len() == 0 {
                report.problems.push(unneeded("this file"));
            } else {
                report.failed = 0;
                report.failures.clear();
                report.problems.clear();
            }
            continue;
        }
        // A file that stops half-way has not come to all of its tests.
        let stopped = !report.problems.is_empty();
        for said in only.tests {
            if report.excuse(said) == 0 && !stopped {
                report.problems.push(unneeded(said));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(list: &[Only], rows: &[&str]) -> Report {
        let mut report = Report::default();
        rows.iter().for_each(|row| report.read(row));
        report.finish();
        settle_by(list, Path::new("supabase/tests/shop/10-x.sql"), &mut report);
        report
    }

    #[test]
    fn a_test_on_the_list_may_fail_and_no_other() {
        let rows = [
            "1..3",
            "ok 1 - a",
            "not ok 2 - b\n# Failed test 2: \"b\"\n#   have: 1",
            "not ok 3 - c\n# Failed test 3: \"c\"",
            "# Looks like you failed 2 tests of 3",
        ];
        let report = settled(&[only("shop/10-x.sql", "w", &["b"])], &rows);
        assert_eq!((report.passed, report.failed), (1, 1));
        assert_eq!(report.failures[0], "not ok 3 - c");
        let report = settled(&[only("shop/10-x.sql", "w", &[])], &rows);
        assert_eq!((report.passed, report.failed), (1, 0));
        assert!(report.failures.is_empty());
        let report = settled(&[only("shop/10-y.sql", "w", &[])], &rows);
        assert_eq!(report.failed, 2);
    }

    #[test]
    fn what_is_on_the_list_for_nothing_is_a_problem() {
        let rows = ["1..1", "ok 1 - a"];
        for entry in [only("10-x.sql", "w", &["a"]), only("10-x.sql", "w", &[])] {
            assert_eq!(settled(&[entry], &rows).problems.len(), 1);
        }
    }

    #[test]
    fn a_file_that_stops_says_so_and_nothing_else() {
        let report = settled(&[only("10-x.sql", "w", &["b"])], &["1..2", "ok 1 - a"]);
        assert_eq!(report.problems.len(), 1);
    }
}

//! Rights are given away and guards taken out, one at a time, and each must be noticed: else the checks
//! of this section prove nothing.
//!
//! Mutants change the database under test for a moment, so this runs on loopback only.

use super::people::Cast;
use super::{compare, guesses, others};
use crate::harness::stack::Bench;
use crate::prove::report::Section;

/// Changes that are seen in the database itself; they are rolled back.
const GIVEN_AWAY: &[(&str, &str)] = &[
    (
        "row security off",
        "alter table interlock.wallets disable row level security",
    ),
    (
        "a policy dropped",
        "drop policy orders_select_own on interlock.orders",
    ),
    (
        "a policy for all rows",
        "alter policy wallets_select_own on interlock.wallets using (true)",
    ),
    (
        "a policy for everybody",
        "alter policy drivers_select_own on interlock.drivers to public",
    ),
    (
        "one more policy",
        "create policy wallets_select_all on interlock.wallets for select to authenticated using (true)",
    ),
    (
        "a table to anon",
        "grant select on interlock.orders to anon",
    ),
    (
        "a column to users",
        "grant select (code) on interlock.promo_codes to authenticated",
    ),
    (
        "a write to users",
        "grant update (balance) on interlock.wallets to authenticated",
    ),
    (
        "a counter to the shop",
        "grant update (used_count) on interlock.promo_codes to service_role",
    ),
    (
        "truncate to the shop",
        "grant truncate on interlock.orders to service_role",
    ),
    (
        "a right taken away",
        "revoke select on interlock.products from anon",
    ),
    (
        "a right to hand on",
        "grant select on interlock.products to authenticated with grant option",
    ),
    (
        "an owner's view to users",
        "grant select on interlock.wallet_differences to authenticated",
    ),
    (
        "a table without row security",
        "create table public.test_open (id int)",
    ),
    (
        "a table for PUBLIC",
        "grant select on interlock.settings to public",
    ),
    (
        "the keys to the shop",
        "grant select on interlock.idempotency_keys to service_role",
    ),
    (
        "a sequence",
        "grant usage on sequence interlock.deliveries_id_seq to authenticated",
    ),
    (
        "schema interlock to anon",
        "grant execute on function interlock.settle_slots(uuid) to anon",
    ),
    (
        "a shop's function to users",
        "grant execute on function interlock.erase_user(uuid) to authenticated",
    ),
    (
        "an inner function to all",
        "grant execute on function interlock.credit_wallet(uuid, bigint, text, text, uuid, text) to public",
    ),
    (
        "a definer in public",
        "create function public.test_open() returns int language sql security definer set search_path = '' as 'select 1'",
    ),
    (
        "an exposed function becomes a definer",
        "alter function public.cancel_order(uuid, text) security definer",
    ),
    (
        "a search path",
        "alter function interlock.is_staff() set search_path = public",
    ),
    (
        "default privileges",
        "alter default privileges in schema interlock grant execute on functions to authenticated",
    ),
];

/// What a mutant of behaviour is noticed by.
#[derive(Clone, Copy)]
enum Check {
    /// A stranger calls functions.
    Calls,
    /// What is the owner's must not be there.
    NotThere,
    /// Guesses at promo codes.
    Guesses,
}

/// Changes that only show when somebody asks: a function, a text that stands in it once, and what stands there
/// instead.
const LET_THROUGH: &[(&str, &str, &str, Check)] = &[
    (
        "batch_state",
        "'status', p_batch.status",
        "'status', p_batch.status, 'holder', p_batch.driver_id",
        Check::Calls,
    ),
    (
        "cancel_order",
        "v_shop constant boolean := interlock.acts_for_shop()",
        "v_shop constant boolean := true",
        Check::NotThere,
    ),
    (
        "submit_payment_proof",
        "v_user_id constant uuid := auth.uid()",
        "v_user_id constant uuid := (select o.user_id from interlock.orders o where o.id = p_order_id)",
        Check::NotThere,
    ),
    (
        "acts_for_shop",
        "v_role = 'service_role'",
        "true",
        Check::NotThere,
    ),
    (
        "find_promo",
        "p.user_id is null or p.user_id = p_user_id",
        "true",
        Check::NotThere,
    ),
    (
        "find_idempotent",
        "k.user_id = coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000')",
        "true",
        Check::NotThere,
    ),
    (
        "is_staff",
        "coalesce(auth.jwt() -> 'app_metadata' ->> 'role' = 'staff', false)",
        "true",
        Check::NotThere,
    ),
    (
        "refuse_unknown_promo",
        "current_setting('transaction_read_only')::boolean",
        "false",
        Check::Guesses,
    ),
    (
        "refuse_unknown_promo",
        "perform set_config('response.status', '404', true);",
        "perform interlock.raise_error('PROMO_NOT_FOUND');",
        Check::Guesses,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_right_given_away_is_noticed() {
    let bench = Bench::take().await;
    assert!(bench.stack.is_local(), "mutants run on loopback only");
    let mut survivors = Vec::new();
    for (name, sql) in GIVEN_AWAY {
        let noticed = noticed_in_the_database(&bench, sql).await;
        println!(
            "mutant {name}: {}",
            if noticed { "killed" } else { "SURVIVED" }
        );
        survivors.extend((!noticed).then_some(*name));
    }
    assert!(
        !noticed_in_the_database(&bench, "select 1").await,
        "no change is one"
    );
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}

async fn noticed_in_the_database(bench: &Bench, sql: &str) -> bool {
    let mut section = Section::new("mutant");
    let changed = format!("begin; set local lock_timeout = '5s'; {sql}");
    bench
        .db
        .batch_execute(&changed)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let compared = compare(&bench.db, &mut section).await;
    bench
        .db
        .batch_execute("rollback")
        .await
        .expect("a transaction can be rolled back");
    compared.expect("rights can be read");
    !section.failures.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_taken_out_is_noticed() {
    let bench = Bench::take().await;
    assert!(bench.stack.is_local(), "mutants run on loopback only");
    let mut survivors = Vec::new();
    for (function, guard, instead, check) in LET_THROUGH {
        let cast = Cast::new(&bench).await.expect("the owner has rows");
        let original: String = bench
            .db
            .query_one(
                "select pg_get_functiondef(f.oid) from pg_proc f
                 where f.pronamespace = 'interlock'::regnamespace and f.proname = $1",
                &[function],
            )
            .await
            .expect("the function exists once")
            .get(0);
        assert_eq!(original.matches(guard).count(), 1, "{function}: {guard}");
        replace(&bench, &original.replace(guard, instead)).await;
        let noticed = noticed_by(*check, &bench, &cast).await;
        replace(&bench, &original).await;
        println!(
            "mutant {function} without {guard}: {}",
            if noticed { "killed" } else { "SURVIVED" }
        );
        survivors.extend((!noticed).then_some(*function));
        let cast = Cast::new(&bench).await.expect("the owner has rows");
        assert!(
            !noticed_by(*check, &bench, &cast).await,
            "{function}: the original is noticed too"
        );
    }
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}

async fn replace(bench: &Bench, definition: &str) {
    bench
        .db
        .batch_execute(definition)
        .await
        .expect("a function can be replaced");
}

async fn noticed_by(check: Check, bench: &Bench, cast: &Cast) -> bool {
    let mut section = Section::new("mutant");
    let asked = match check {
        Check::Calls => others::calls(bench, cast)
            .await
            .expect("functions are known"),
        Check::NotThere => return !others::as_if_not_there(bench, cast).await.is_empty(),
        Check::Guesses => {
            guesses::check(bench, &mut section)
                .await
                .expect("guesses can be counted");
            return !section.failures.is_empty();
        }
    };
    let token = bench.stack.user_token(cast.stranger);
    let asked = asked
        .into_iter()
        .map(|call| call.by(&bench.stack.anon_key, Some(&token)))
        .collect();
    !others::leaks(bench, cast, "a stranger", asked)
        .await
        .is_empty()
}

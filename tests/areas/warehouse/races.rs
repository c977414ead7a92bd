//! Races at the packing table. A scenario returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::shop::races::with_equal_books;
use crate::areas::warehouse::rows::Packing;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::Value;
use std::collections::BTreeSet;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PackingScenario {
    TenClicks,
    OneBasket,
    OneBox,
    SetAndSet,
    CompleteTogether,
    TheLastTwo,
    PackAndComplete,
    PackAndCancel,
    PackAndAbandon,
    BothFunctions,
    TwoSessions,
    TwoPickers,
    Everything,
}

impl Race for PackingScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl PackingScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let race = async {
            for _ in 0..8 {
                match self {
                    Self::TenClicks => ten_clicks(bench).await?,
                    Self::OneBasket => one_basket(bench).await?,
                    Self::OneBox => one_box(bench).await?,
                    Self::SetAndSet => set_and_set(bench).await?,
                    Self::CompleteTogether => complete_together(bench).await?,
                    Self::TheLastTwo => the_last_two(bench).await?,
                    Self::PackAndComplete => pack_and_complete(bench).await?,
                    Self::PackAndCancel => pack_and_cancel(bench).await?,
                    Self::PackAndAbandon => pack_and_abandon(bench).await?,
                    Self::BothFunctions => both_functions(bench).await?,
                    Self::TwoSessions => two_sessions(bench).await?,
                    Self::TwoPickers => two_pickers(bench).await?,
                    Self::Everything => everything(bench).await?,
                }
            }
            Ok(())
        };
        with_equal_books(bench, race).await
    }
}

/// Makes all calls at once, each in a session of its own.
async fn at_once(bench: &Bench, calls: Vec<String>) -> Vec<Result<Value, String>> {
    let sessions = join_all((0..calls.len()).map(|_| bench.stack.connect())).await;
    let calls = sessions.iter().zip(&calls);
    join_all(calls.map(|(session, sql)| call(session, sql))).await
}

fn done(answers: &[Result<Value, String>]) -> usize {
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// Whether all that was refused was for one of these reasons.
fn refused_by(answers: &[Result<Value, String>], codes: &[&str]) -> bool {
    let mut refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
    refusals.all(|code| codes.contains(&code.as_str()))
}

/// Report 003: ten clicks at once are ten, and those under one key are one.
async fn ten_clicks(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[12], 12).await;
    let mut calls: Vec<String> = (0..10).map(|_| packing.scan(0, "")).collect();
    let key = format!(", p_idempotency_key => '{}'", packing.id);
    calls.extend((0..4).map(|_| packing.scan(0, &key)));
    let answers = at_once(bench, calls).await;
    require!(done(&answers) == 14, "{answers:?}");
    let packed = bench.packed(&packing).await;
    require!(packed == [11], "{packed:?} after ten clicks and one key");
    Ok(())
}

/// Five are picked for two orders of five, and ten workers pack one each.
async fn one_basket(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[5, 5], 5).await;
    let calls = (0..10).map(|n| packing.scan(n % 2, "")).collect();
    let answers = at_once(bench, calls).await;
    let packed: i64 = bench.packed(&packing).await.iter().sum();
    require!(
        done(&answers) == 5 && packed == 5,
        "{packed} packed of 5: {answers:?}"
    );
    require!(refused_by(&answers, &["NO_UNITS_TO_PACK"]), "{answers:?}");
    Ok(())
}

/// An order needs three, six are picked, and eight workers pack one each.
async fn one_box(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[3, 3], 6).await;
    let calls = (0..8).map(|_| packing.scan(0, "")).collect();
    let answers = at_once(bench, calls).await;
    let packed = bench.packed(&packing).await;
    require!(
        done(&answers) == 3 && packed == [3, 0],
        "{packed:?}: {answers:?}"
    );
    require!(
        refused_by(&answers, &["ALREADY_FULLY_PACKED"]),
        "{answers:?}"
    );
    Ok(())
}

/// Six set a number on the same one: one does, the others are told what it is now.
async fn set_and_set(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[9], 9).await;
    let line = packing.lines[0];
    let calls = (1..7).map(|n| format!("public.set_packed_quantity('{line}', 0, {n})"));
    let answers = at_once(bench, calls.collect()).await;
    let set: Vec<&Value> = answers
        .iter()
        .flatten()
        .filter(|answer| answer["success"] == true)
        .collect();
    require!(set.len() == 1, "{answers:?}");
    require!(
        answers.iter().all(|answer| answer.as_ref().is_ok_and(
            |answer| answer["success"] == true || answer["message"] == "PACKING_CONFLICT"
        )),
        "{answers:?}"
    );
    let packed = bench.packed(&packing).await;
    require!(
        set[0]["quantity_packed"] == packed[0],
        "{packed:?}: {set:?}"
    );
    Ok(())
}

/// Six complete one order: one parcel.
async fn complete_together(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[2], 2).await;
    let pack = at_once(bench, vec![packing.scan(0, ", p_quantity => 2")]).await;
    require!(done(&pack) == 1, "{pack:?}");
    let answers = at_once(bench, (0..6).map(|_| packing.complete(0)).collect()).await;
    require!(done(&answers) == 6, "{answers:?}");
    let parcels = bench
        .number(
            "select count(*) from interlock.order_shipments where order_id = any ($1)",
            &packing.orders,
        )
        .await;
    require!(parcels == 1, "{parcels} parcels: {answers:?}");
    Ok(())
}

/// Two finish the last two orders at once: the session ends.
async fn the_last_two(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[1, 1, 1], 3).await;
    let pack = at_once(bench, (0..3).map(|n| packing.scan(n, "")).collect()).await;
    require!(done(&pack) == 3, "{pack:?}");
    let answers = at_once(bench, (0..3).map(|n| packing.complete(n)).collect()).await;
    require!(done(&answers) == 3, "{answers:?}");
    let ended = bench
        .number(
            "select count(*) from interlock.picking_sessions where id = any ($1) and status = 'completed' and completed_orders = 3",
            &[packing.id],
        )
        .await;
    require!(ended == 1, "the session did not end: {answers:?}");
    Ok(())
}

/// Somebody takes a unit out while somebody completes the order: what is in the box is in the parcel.
async fn pack_and_complete(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[2], 2).await;
    let pack = at_once(bench, vec![packing.scan(0, ", p_quantity => 2")]).await;
    require!(done(&pack) == 1, "{pack:?}");
    let answers = at_once(
        bench,
        vec![
            packing.scan(0, ", p_action => 'unpack'"),
            packing.complete(0),
            packing.scan(0, ", p_action => 'unpack'"),
        ],
    )
    .await;
    require!(
        refused_by(&answers, &["SESSION_STATE_CONFLICT", "NOT_FULLY_PACKED"]),
        "{answers:?}"
    );
    let sent = bench
        .number(
            "select coalesce(sum(quantity), 0) from interlock.order_shipment_items where order_id = any ($1)",
            &packing.orders,
        )
        .await;
    let packed = bench.packed(&packing).await[0];
    require!(
        sent == if answers[1].is_ok() { packed } else { 0 },
        "{sent} sent and {packed} in the box: {answers:?}"
    );
    Ok(())
}

/// An order is cancelled while it is packed: nothing stays in its box, and the other order gets the units.
async fn pack_and_cancel(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[4, 4], 4).await;
    let mut calls: Vec<String> = (0..6).map(|n| packing.scan(n % 2, "")).collect();
    calls.insert(3, format!("public.cancel_order('{}')", packing.orders[0]));
    let answers = at_once(bench, calls).await;
    require!(answers[3].is_ok(), "{answers:?}");
    require!(
        refused_by(&answers, &["SESSION_STATE_CONFLICT", "NO_UNITS_TO_PACK"]),
        "{answers:?}"
    );
    let packed = bench.packed(&packing).await;
    require!(packed[0] == 0, "{packed:?}: {answers:?}");
    let rest = 4 - packed[1];
    let more = at_once(bench, (0..rest).map(|_| packing.scan(1, "")).collect()).await;
    require!(more.iter().all(Result::is_ok), "{packed:?}: {more:?}");
    Ok(())
}

/// A session is given up while it is packed and one of its orders is completed.
async fn pack_and_abandon(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[1, 3], 4).await;
    let pack = at_once(bench, vec![packing.scan(0, "")]).await;
    require!(done(&pack) == 1, "{pack:?}");
    let mut calls: Vec<String> = (0..3).map(|_| packing.scan(1, "")).collect();
    calls.push(format!("public.abandon_picking_session('{}')", packing.id));
    calls.push(packing.complete(0));
    let answers = at_once(bench, calls).await;
    require!(answers[3].is_ok(), "{answers:?}");
    require!(
        refused_by(&answers, &["SESSION_STATE_CONFLICT"]),
        "{answers:?}"
    );
    let packed = bench.packed(&packing).await;
    let completed = i64::from(answers[4].is_ok());
    require!(packed == [completed, 0], "{packed:?}: {answers:?}");
    Ok(())
}

/// Both of the report's functions and the third on one line and one basket: no deadlock, and exact.
async fn both_functions(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[6, 6], 9).await;
    let Packing {
        id,
        product,
        orders,
        lines,
    } = &packing;
    let calls = (0..12).map(|n| match n % 2 {
        0 => format!(
            "public.update_packing_progress_atomic('{id}', '{}', '{product}')",
            orders[n / 2 % 2]
        ),
        _ => format!(
            "to_jsonb(array(select public.increment_packing_quantity('{}', 6, 9, '{id}', '{product}')))",
            lines[n / 2 % 2]
        ),
    });
    let answers = at_once(bench, calls.collect()).await;
    let packed: i64 = bench.packed(&packing).await.iter().sum();
    require!(
        done(&answers) == 9 && packed == 9,
        "{packed} packed of 9: {answers:?}"
    );
    require!(refused_by(&answers, &["NO_UNITS_TO_PACK"]), "{answers:?}");
    Ok(())
}

/// Four make a session of one order: one does.
async fn two_sessions(bench: &Bench) -> Verdict {
    let product = bench.products(1, 10).await[0];
    let order = bench.order_of(product, 1).await;
    let calls = (0..4).map(|_| format!("public.create_picking_session(array['{order}']::uuid[])"));
    let answers = at_once(bench, calls.collect()).await;
    require!(done(&answers) == 1, "{answers:?}");
    require!(refused_by(&answers, &["ORDER_IN_SESSION"]), "{answers:?}");
    Ok(())
}

/// Six pick what is needed four times: four do.
async fn two_pickers(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[5], 1).await;
    let calls =
        (0..6).map(|_| format!("public.pick_item('{}', '{}')", packing.id, packing.product));
    let answers = at_once(bench, calls.collect()).await;
    require!(done(&answers) == 4, "{answers:?}");
    require!(
        refused_by(&answers, &["PICK_EXCEEDS_NEEDED"]),
        "{answers:?}"
    );
    Ok(())
}

/// Scans, the same ones twice, units taken out, short lines and a cancelled order, all at once.
async fn everything(bench: &Bench) -> Verdict {
    let packing = bench.packing(&[8, 8, 8], 12).await;
    let mut calls = Vec::new();
    for n in 0..8 {
        calls.push(packing.scan(n % 3, ", p_quantity => 2"));
        let key = format!(", p_idempotency_key => '{} {}'", packing.id, n % 4);
        calls.push(packing.scan(n % 4 % 3, &key));
        calls.push(packing.scan(n % 3, ", p_action => 'unpack'"));
    }
    calls.push(packing.scan(1, ", p_action => 'short', p_quantity => 3"));
    calls.push(format!("public.cancel_order('{}')", packing.orders[2]));
    calls.push(format!(
        "public.pick_item('{}', '{}', p_quantity => -1)",
        packing.id, packing.product
    ));
    let answers = at_once(bench, calls).await;
    require!(
        refused_by(
            &answers,
            &[
                "NO_UNITS_TO_PACK",
                "ALREADY_FULLY_PACKED",
                "NOTHING_PACKED",
                "NOTHING_PICKED",
                "SESSION_STATE_CONFLICT"
            ]
        ),
        "{answers:?}"
    );
    let packed = bench.packed(&packing).await;
    let history = bench
        .number(
            "select coalesce(sum(s.quantity), 0) from interlock.packing_scans s
             where s.picking_session_id = any ($1) and s.action in ('pack', 'unpack', 'take_out')",
            &[packing.id],
        )
        .await;
    require!(
        packed.iter().sum::<i64>() == history && packed[2] == 0 && packed.iter().all(|n| *n <= 8),
        "{packed:?} packed, {history} by the history: {answers:?}"
    );
    Ok(())
}

/// What is wrong with a session as it is at one moment: more packed than is needed or was picked, or a basket that says something else than its lines.
const WRONG: &str = "select count(*) from interlock.picking_session_items i
  join interlock.packing_progress p on p.picking_session_id = i.picking_session_id and p.product_id = i.product_id
  where i.picking_session_id = any ($1)
    and (p.quantity_packed > p.quantity_needed or i.quantity_packed > i.quantity_picked or i.quantity_packed <> (
      select sum(l.quantity_packed) from interlock.packing_progress l
      where l.picking_session_id = i.picking_session_id and l.product_id = i.product_id
    ))";

/// The calls of one of 64 scanners, one after the other: units by hand of what they scan twice, under a key that a neighbour has, too, and that they
/// send again. What each is to change, and under which key.
fn calls_of_a_scanner(packing: &Packing, n: usize) -> Vec<(String, i64, Option<String>)> {
    let order = n / 2 % 4;
    let mut calls = Vec::new();
    for step in 0..8 {
        let key = format!("{} {} {step}", packing.id, n / 2);
        let under_key = format!(", p_idempotency_key => '{key}'");
        let of_order = |more: &str| packing.scan(order, more);
        match (n / 2 + step) % 6 {
            0 => calls.push((of_order(""), 1, None)),
            1 => calls.push((of_order(", p_quantity => 2"), 2, None)),
            2 | 3 => {
                let call = (of_order(&under_key), 1, Some(key));
                calls.extend([call.clone(), call]);
            }
            4 => calls.push((of_order(", p_action => 'unpack'"), -1, None)),
            _ => calls.push((of_order(", p_action => 'short'"), 0, None)),
        }
    }
    let more = match n {
        20 => format!("public.cancel_order('{}')", packing.orders[3]),
        40 => format!(
            "public.pick_item('{}', '{}', p_quantity => -2)",
            packing.id, packing.product
        ),
        _ => return calls,
    };
    calls.insert(4, (more, 0, None));
    calls
}

/// 64 scanners at one basket, with duplicates, units taken out, short lines and a cancelled order: at every moment no more is packed than is needed and
/// was picked, and at the end it is what was answered.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_scanners_are_right_at_every_moment() {
    let bench = Bench::take().await;
    let packing = bench.packing(&[60, 60, 60, 60], 150).await;
    let scanner = async |n: usize| {
        let session = bench.stack.connect().await;
        let mut answers = Vec::new();
        for (sql, change, key) in calls_of_a_scanner(&packing, n) {
            answers.push((call(&session, &sql).await, change, key));
        }
        answers
    };
    let scanners = join_all((0..64).map(scanner));
    tokio::pin!(scanners);
    let session = [packing.id];
    let mut looks = 0;
    let answers = loop {
        tokio::select! {
            answers = &mut scanners => break answers.concat(),
            wrong = bench.number(WRONG, &session) => {
                assert_eq!(wrong, 0, "after {looks} looks");
                looks += 1;
            }
        }
    };
    assert!(looks > 10, "it was looked {looks} times");

    let mut keys = BTreeSet::new();
    let mut packed = 0;
    for (answer, change, key) in &answers {
        match answer {
            Ok(_) if key.as_ref().is_none_or(|key| keys.insert(key)) => packed += change,
            Ok(_) => {}
            Err(code) => assert!(
                [
                    "NO_UNITS_TO_PACK",
                    "ALREADY_FULLY_PACKED",
                    "NOTHING_PACKED",
                    "NOTHING_PICKED",
                    "SESSION_STATE_CONFLICT"
                ]
                .contains(&code.as_str()),
                "{code}"
            ),
        }
    }
    let counted = "select coalesce(sum(s.quantity), 0) from interlock.packing_scans s
        where s.picking_session_id = any ($1) and s.action in ('pack', 'unpack')";
    assert_eq!(bench.number(counted, &session).await, packed);
    assert_eq!(bench.number(WRONG, &session).await, 0);
    assert_eq!(bench.packed(&packing).await[3], 0, "that one was cancelled");
}

macro_rules! tests {
    ($($name:ident: $scenario:ident;)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let bench = Bench::take().await;
            assert_eq!(PackingScenario::$scenario.run(&bench).await, Ok(()));
        })+
    };
}

tests! {
    ten_clicks_are_ten: TenClicks;
    no_more_is_packed_than_was_picked: OneBasket;
    no_more_is_packed_than_an_order_needs: OneBox;
    a_number_is_set_once: SetAndSet;
    an_order_is_completed_once: CompleteTogether;
    the_last_one_ends_the_session: TheLastTwo;
    a_parcel_has_what_is_in_the_box: PackAndComplete;
    a_cancelled_order_gives_all_back: PackAndCancel;
    an_abandoned_session_gives_all_back: PackAndAbandon;
    the_reports_functions_do_not_deadlock: BothFunctions;
    an_order_is_in_one_session: TwoSessions;
    no_more_is_picked_than_is_needed: TwoPickers;
    all_at_once_adds_up: Everything;
}

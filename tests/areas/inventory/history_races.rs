//! Sales beside those who make, mend and archive the parts of histories: none is refused, and nothing is lost.

use crate::areas::inventory::rows::call;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where positions go on, of parts of a thousand: shortly before the end of the last, so that the next is made in time, and behind
/// it, so that the rest is written to and the part passed over. Never back.
fn turn(late: bool) -> String {
    format!(
        "select setval(s.sequence::regclass, greatest(pg_sequence_last_value(s.sequence::regclass) + 1000, s.after + {}))
         from (
           select h.sequence, max(p.after) as after
           from interlock.histories() h
           cross join lateral interlock.history_parts(h.name) p
           group by h.sequence
         ) s",
        if late { 1500 } else { -400 }
    )
}
const BEGIN: &str = "
update interlock.settings
set history_part_rows = 1000, keep_stock_movements = '1 day', keep_order_events = '1 day', keep_events = '1 day'";
const END: &str = "
update interlock.settings
set history_part_rows = default, keep_stock_movements = default, keep_order_events = default, keep_events = default;
drop schema if exists interlock_archive cascade";

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HistoryScenario {
    WhileOthersSell,
}

impl Race for HistoryScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        async {
            bench.db.batch_execute(BEGIN).await.expect("small parts");
            let verdict = while_others_sell(bench).await;
            bench.db.batch_execute(END).await.expect("as before");
            verdict
        }
        .boxed()
    }
}

async fn while_others_sell(bench: &Bench) -> Verdict {
    const TURNS: usize = 16;
    const SELLERS: usize = 4;
    let products = bench.products(3, 100_000).await;
    bench
        .db
        .batch_execute(&format!(
            "select public.set_stock_slots('{}', 4)",
            products[0]
        ))
        .await
        .expect("slots");
    let users = bench.users(SELLERS).await;
    let open = AtomicUsize::new(1);
    let sellers = users.iter().enumerate().map(|(n, user)| {
        let (products, open) = (&products, &open);
        async move {
            let session = bench.stack.connect().await;
            session
                .batch_execute(&format!(
                    r#"select set_config('request.jwt.claims', '{{"sub": "{user}", "role": "authenticated"}}', false)"#
                ))
                .await
                .expect("claims");
            let mut orders = Vec::new();
            while open.load(Ordering::SeqCst) > 0 {
                let turn = orders.len();
                let product = products[(n + turn) % products.len()];
                let checkout = format!(
                    r#"public.checkout('[{{"product_id": "{product}", "quantity": 1}}]', p_idempotency_key => 'parts-{user}-{turn}')"#
                );
                let order = call(&session, &checkout).await?;
                let id = order["order"]["id"].as_str().unwrap_or_default().to_owned();
                // Nobody has more open orders than the settings allow; and there is more history so.
                call(&session, &format!("public.cancel_order('{id}')")).await?;
                orders.push(id);
            }
            Ok::<_, String>(orders)
        }
    });
    let keeper = async {
        let session = bench.stack.connect().await;
        let (mut made, mut archived) = (0, 0);
        for n in 0..3 * TURNS {
            if n % 3 == 0 {
                let on = turn(n % 2 == 1);
                session.batch_execute(&on).await.expect("it goes on");
            }
            let arranged = call(&session, "public.arrange_history()").await;
            let Ok(arranged) = arranged else {
                open.store(0, Ordering::SeqCst);
                return Err(format!("{arranged:?}"));
            };
            made += arranged["made"].as_i64().unwrap_or_default();
            archived += arranged["archived"].as_i64().unwrap_or_default();
        }
        open.store(0, Ordering::SeqCst);
        Ok::<_, String>((made, archived))
    };
    let (sold, arranged) = futures::future::join(join_all(sellers), keeper).await;
    let (made, archived) = arranged?;
    let sold: Vec<String> = sold
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("a sale was refused: {error}"))?
        .into_iter()
        .flatten()
        .collect();
    require!(
        made > 5 && archived > 1 && sold.len() > SELLERS,
        "{made} parts made, {archived} archived, {} sold",
        sold.len()
    );
    // Everything is there that was written, in one place.
    let lost = bench
        .db
        .query(
            "with sold as (select s.id::uuid from unnest($1::text[]) s (id))
             select concat_ws(' ', s.id,
               (select string_agg(e.event, '+' order by e.id) from interlock.order_events e where e.order_id = s.id),
               (select string_agg(m.reason || m.delta, '+' order by m.id) from interlock.stock_movements m where m.reference_id = s.id))
             from sold s
             where (select string_agg(e.event, '+' order by e.id) from interlock.order_events e where e.order_id = s.id)
                 is distinct from 'confirmed+cancelled'
               or (select string_agg(m.reason || m.delta, '+' order by m.id) from interlock.stock_movements m where m.reference_id = s.id)
                 is distinct from 'checkout-1+order_cancelled1'
             limit 5",
            &[&sold],
        )
        .await
        .expect("rows")
        .iter()
        .map(|row| row.get(0))
        .collect::<Vec<String>>();
    require!(lost.is_empty(), "lost or twice: {lost:?}");
    let wrong: i64 = bench
        .db
        .query_one(
            "select count(*) from interlock.stock_differences where product_id = any ($1)",
            &[&products],
        )
        .await
        .expect("a count")
        .get(0);
    require!(wrong == 0, "{wrong} ledgers do not add up");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_while_parts_are_made_and_archived() {
    let bench = Bench::take().await;
    if let Err(error) = HistoryScenario::WhileOthersSell
        .play(&bench, Adapter::Sql)
        .await
    {
        panic!("{error}");
    }
}

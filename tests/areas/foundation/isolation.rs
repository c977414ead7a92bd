//! Other isolation levels than read committed: every function that writes says that it does not work there.

use crate::harness::stack::Bench;

/// Every function that the API can call and that may write, called with nothing.
const CALLS: &str = "
select format('select public.%I(%s)', p.proname, 
         string_agg(format('null::%s', t.type::regtype), ', ' order by t.place) filter (where t.place is not null))
from pg_proc p
left join unnest(p.proargtypes) with ordinality as t (type, place) on true
where p.pronamespace = 'public'::regnamespace
  and p.provolatile = 'v'
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  and p.prosrc like '%interlock.%'
group by p.oid, p.proname
order by 1";

#[tokio::test(flavor = "multi_thread")]
async fn every_function_that_writes_refuses_another_isolation_level() {
    let bench = Bench::take().await;
    let calls = bench.db.query(CALLS, &[]).await.expect("functions");
    assert!(calls.len() > 10, "there are more functions than that");
    let mut wrong = Vec::new();
    for level in ["repeatable read", "serializable"] {
        for call in &calls {
            let call: String = call.get(0);
            let begin = format!("begin isolation level {level}; set local role service_role");
            bench.db.batch_execute(&begin).await.expect("it begins");
            let said = match bench.db.simple_query(&call).await {
                Ok(_) => "nothing".to_owned(),
                Err(error) => error.as_db_error().map_or_else(
                    || error.to_string(),
                    |error| {
                        let details = error.detail().unwrap_or_default();
                        let told = details.contains(&format!("\"isolation_level\": \"{level}\""));
                        format!("{} {} {told}", error.code().code(), error.message())
                    },
                ),
            };
            bench.db.batch_execute("rollback").await.expect("it ends");
            if said != "PT500 ISOLATION_LEVEL_UNSUPPORTED true" {
                wrong.push(format!("{level}: {call} says {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

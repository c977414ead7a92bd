//! `npm run uninstall`: all of it goes in one step, or nothing; what is the shop's own stays.

use tokio_postgres::Client;

use crate::cli::{Finished, xtask};
use crate::deploy::npm_run_deploy;
use crate::recorder::{PROJECT, Recorder, TOKEN};
use crate::scratch::Scratch;

/// Everything that migrations can make, but what the history of migrations is kept in, in text.
async fn shape(db: &Client) -> Vec<String> {
    const SHAPE: &str = "
select 'schema ' || nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'supabase_migrations'
union all
select 'class ' || c.oid::regclass from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'interlock', 'interlock_parts', 'storage', 'realtime') and n.nspname !~ '^pg_' and c.relkind in ('r', 'p', 'v', 'S', 'm')
union all
select 'function ' || p.oid::regprocedure from pg_proc p
where p.pronamespace in (select oid from pg_namespace where nspname in ('public', 'interlock'))
union all
select 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass from pg_trigger t where not t.tgisinternal
union all
select 'policy ' || p.polname || ' on ' || p.polrelid::regclass from pg_policy p
order by 1";
    let rows = db.query(SHAPE, &[]).await.expect("it can be asked");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_were_many_shops_it_goes_when_one_is_left() {
    let scratch = Scratch::empty("uninstall_shops").await;
    let db = scratch.connect().await;
    let before = shape(&db).await;
    scratch.push(&[]).await.succeeded();
    db.batch_execute(
        "select interlock.serve_shops();
         select interlock.add_shop('berlin');
         select interlock.archive_history_part('order_events', 'interlock_parts.order_events_0')",
    )
    .await
    .expect("there can be many shops");
    let all = ["uninstall", "--yes", "--db-url", &scratch.url];
    let said = xtask(&all, &[]).await.failed().said();
    assert!(said.contains("has rows of other shops"), "{said}");

    // Whoever moves a shop takes it away so, triggers or not.
    let admin = scratch.connect_as_admin().await;
    admin
        .batch_execute(
            "set session_replication_role = replica;
         do $$
         declare
           v_table regclass;
         begin
           for v_table in select t.name from interlock.keyed_tables() t where not t.is_part loop
             execute format('delete from %s where shop_id = 2', v_table);
           end loop;
         end
         $$",
        )
        .await
        .expect("a shop can go");
    drop(admin);
    xtask(&all, &[]).await.succeeded();
    // What was archived is the project's to keep.
    db.batch_execute("drop table interlock_archive.order_events_0; drop schema interlock_archive")
        .await
        .expect("what was archived is still there");
    assert_eq!(shape(&db).await, before);
    drop(db);
    scratch.remove().await;
}

async fn uninstall(recorder: &Recorder, scratch: &Scratch, arguments: &[&str]) -> Finished {
    let profile = recorder.profile.to_string_lossy();
    let mut all = vec!["uninstall", "--project-ref", PROJECT, "--profile", &profile];
    all.extend(["--db-url", &scratch.url]);
    all.extend(arguments);
    xtask(&all, &[("SUPABASE_ACCESS_TOKEN", TOKEN)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deployed_goes_in_one_step_and_leaves_what_was_there() {
    let recorder = Recorder::start("uninstall").await;
    let scratch = Scratch::empty("uninstall").await;
    let db = scratch.connect().await;
    let before = shape(&db).await;
    npm_run_deploy(&recorder, &scratch, &[]).await.succeeded();
    db.batch_execute(
        "insert into interlock.products (name, price, currency, available_quantity) values ('Lamp', 100, 'EUR', 7);
         create view public.lamps as select id, name from interlock.products",
    )
    .await
    .expect("a shop has rows, and something of its own");
    let installed = shape(&db).await;

    // A dry run tells, and changes nothing.
    let said = uninstall(&recorder, &scratch, &["--dry-run"])
        .await
        .succeeded()
        .said();
    assert!(said.contains("with 1 products"), "{said}");
    assert!(
        said.contains("functions to delete: checkout, claim-route"),
        "{said}"
    );
    // Nobody is there to be asked.
    let said = uninstall(&recorder, &scratch, &[]).await.failed().said();
    assert!(said.contains("add --yes"), "{said}");
    // Something of the shop's own hangs on it: all of it stays.
    let said = uninstall(&recorder, &scratch, &["--yes"])
        .await
        .failed()
        .said();
    assert!(said.contains("view lamps depends on"), "{said}");
    assert!(
        !said.contains("postgres:postgres"),
        "the password is shown: {said}"
    );
    assert_eq!(shape(&db).await, installed);
    assert!(!recorder.uploads().is_empty(), "the functions still serve");

    db.batch_execute("drop view public.lamps")
        .await
        .expect("it is the shop's");
    let said = uninstall(&recorder, &scratch, &["--yes"])
        .await
        .succeeded()
        .said();
    assert!(said.contains("no longer in"), "{said}");
    assert_eq!(shape(&db).await, before);
    assert!(recorder.uploads().is_empty(), "all functions are gone");
    let said = uninstall(&recorder, &scratch, &["--yes"])
        .await
        .succeeded()
        .said();
    assert!(said.contains("nothing to take out"), "{said}");

    // And it may come again.
    npm_run_deploy(&recorder, &scratch, &[]).await.succeeded();
    drop(db);
    scratch.remove().await;
}

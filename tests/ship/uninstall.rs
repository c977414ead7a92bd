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

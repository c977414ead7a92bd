//! What docs/adopting.md says a shop with tables of its own does. The blocks of all other pages are run by tests/docs.

use crate::cli::{root, supabase, work_folder, xtask};
use crate::scratch::Scratch;

/// The blocks of a page that are marked as SQL.
fn sql_of(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs").join(page)).expect("the page is there");
    let blocks: Vec<String> = text
        .split("```sql\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect();
    assert!(!blocks.is_empty(), "{page} has no SQL");
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_brings_its_rows_as_the_page_says() {
    let scratch = Scratch::empty("docs_adopt").await;
    let remote = scratch.remote();
    let [
        dry_run,
        fill,
        drift,
        again,
        unlink,
        people,
        people_drift,
        unlink_people,
        bring,
    ] = <[String; 9]>::try_from(sql_of("adopting.md")).expect("nine blocks");

    // A shop with a table of ours by name, and a migration of its own that is newer than ours.
    let shop = work_folder("adopting-shop");
    let migrations = shop.join("supabase/migrations");
    let _ = std::fs::remove_dir_all(&migrations);
    std::fs::create_dir_all(&migrations).expect("the folder can be made");
    // Without it the CLI would look for a project further up, and find ours.
    std::fs::write(shop.join("supabase/config.toml"), "project_id = \"shop\"\n")
        .expect("the configuration can be written");
    let own = "
        create table public.items (
          id bigint primary key, title text not null, price numeric not null, is_active boolean not null, stock int not null
        );
        insert into public.items values (1, 'Soap', 2.50, true, 4), (2, 'Brush', 7, true, -1), (3, 'Towel', 12, false, 9);
        create table public.people (
          id bigint primary key, first_name text, last_name text, email text, phone text, auth_user_id uuid, newsletter boolean
        );
        insert into public.people values
          (1, 'Ada', 'Arp', 'ada@example.com', '+491511234567', null, true),
          (2, 'Ben', 'Bohn', 'Ada@Example.com', null, null, false),
          (3, 'Cleo', null, null, null, null, null);
        create table public.products (id uuid primary key);
        create table public.old_products (id uuid primary key, title text, price numeric, stock int);
        insert into public.old_products values (gen_random_uuid(), 'Sponge', 1.25, -1)";
    std::fs::write(migrations.join("20990101000000_shop.sql"), own).expect("it can be written");
    supabase(&shop, &["db", "push", "--yes", &remote])
        .await
        .succeeded();

    for migration in std::fs::read_dir(root().join("supabase/migrations")).expect("there are some")
    {
        let from = migration.expect("it can be read").path();
        let name = from.file_name().expect("a file");
        std::fs::copy(&from, migrations.join(name)).expect("it can be copied");
    }
    let push = ["db", "push", "--yes", "--include-all", &remote];
    supabase(&shop, &push).await.succeeded();

    let db = scratch.connect().await;
    let in_the_way = db
        .query_one(&dry_run, &[])
        .await
        .expect("the page is right");
    let in_the_way: String = in_the_way.get(0);
    assert!(
        in_the_way.contains("/p_map/quantity") && in_the_way.contains("\"success\": false"),
        "{in_the_way}"
    );
    db.batch_execute("update public.items set stock = 0 where stock < 0")
        .await
        .expect("the shop decides");
    let link = dry_run.replace("p_dry_run => true", "p_dry_run => false");
    for block in [&link, &fill] {
        db.batch_execute(block).await.expect("the page is right");
    }
    let differences = db.query(&drift, &[]).await.expect("the page is right");
    assert!(differences.is_empty(), "{differences:?}");
    db.batch_execute(&again).await.expect("the page is right");
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    db.batch_execute(&unlink).await.expect("the page is right");

    let in_the_way: String = db
        .query_one(&people, &[])
        .await
        .expect("the page is right")
        .get(0);
    assert!(
        in_the_way.contains("has the e-mail address of another row")
            && in_the_way.contains("\"success\": false"),
        "{in_the_way}"
    );
    let link = people.replace("p_dry_run => true", "p_unfit => 'leave_out'");
    db.batch_execute(&link).await.expect("the page is right");
    let found: Vec<(Option<String>, Option<String>, bool)> = db
        .query(
            "select c.name::text, c.email::text, c.marketing from interlock.customers c order by c.name",
            &[],
        )
        .await
        .expect("the customers")
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let person = |name: &str, email: Option<&str>, marketing| {
        (Some(name.to_owned()), email.map(str::to_owned), marketing)
    };
    assert_eq!(
        found,
        [
            person("Ada Arp", Some("ada@example.com"), true),
            person("Ben Bohn", None, false),
            person("Cleo", None, false)
        ]
    );
    let differences = db
        .query(&people_drift, &[])
        .await
        .expect("the page is right");
    assert!(differences.is_empty(), "{differences:?}");
    for block in [&unlink_people, &bring] {
        db.batch_execute(block).await.expect("the page is right");
    }
    let rows = db
        .query(
            "select name::text, price::bigint, available_quantity from interlock.products order by name",
            &[],
        )
        .await
        .expect("the products");
    let rows: Vec<(String, i64, i32)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let row = |name: &str, price, quantity| (name.to_owned(), price, quantity);
    assert_eq!(
        rows,
        [
            row("Brush", 700, 0),
            row("Soap", 250, 4),
            row("Sponge", 125, 0),
            row("Towel", 1200, 9)
        ]
    );
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

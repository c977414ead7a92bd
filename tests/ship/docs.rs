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
    let [bring_rows] = <[String; 1]>::try_from(sql_of("adopting.md")).expect("one block");

    // A shop with a table of ours by name, and a migration of its own that is newer than ours.
    let shop = work_folder("adopting-shop");
    let migrations = shop.join("supabase/migrations");
    let _ = std::fs::remove_dir_all(&migrations);
    std::fs::create_dir_all(&migrations).expect("the folder can be made");
    // Without it the CLI would look for a project further up, and find ours.
    std::fs::write(shop.join("supabase/config.toml"), "project_id = \"shop\"\n")
        .expect("the configuration can be written");
    let own = "
        create table public.products (id uuid primary key, title text, price numeric, stock int);
        insert into public.products values (gen_random_uuid(), 'Soap', 2.50, -1)";
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
    db.batch_execute(&bring_rows)
        .await
        .expect("the page is right");
    let row = db
        .query_one(
            "select price, available_quantity from interlock.products",
            &[],
        )
        .await
        .expect("one product");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (250, 0));
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

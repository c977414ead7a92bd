//! `npm run import-stock`: a file is looked at, line by line, then taken as a whole, and once.

use std::path::Path;

use crate::cli::{Finished, work_folder, xtask};
use crate::scratch::Scratch;

const ROWS: &str = "
insert into interlock.products (id, name, price, currency, decimals)
values ('1a000000-0000-4000-8000-000000000001', 'Tea', 100, 'EUR', 3), ('1a000000-0000-4000-8000-000000000002', 'Lamp', 100, 'EUR', 0);
insert into interlock.locations (name) values ('St. \"Mary\", No. 1')";

async fn import(scratch: &Scratch, file: &Path, flags: &[&str]) -> Finished {
    let file = file.to_str().expect("a path is text");
    let arguments = [&["import-stock", file, "--db-url", &scratch.url], flags].concat();
    xtask(&arguments, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_stock_is_taken_whole_and_once() {
    let scratch = Scratch::pushed("import_stock").await;
    let db = scratch.connect().await;
    db.batch_execute(ROWS).await.expect("rows can be added");
    let folder = work_folder("import-stock");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    };
    let bad = write(
        "bad.csv",
        "product_id,location,quantity\r\n1a000000-0000-4000-8000-000000000002,,1.5\r\nx,,1\r\n1a000000-0000-4000-8000-000000000002\r\n\
         1a000000-0000-4000-8000-000000000001,Nowhere,1\r\n",
    );
    let refused = import(&scratch, &bad, &[]).await.failed();
    assert_eq!(
        refused.stdout.lines().take(4).collect::<Vec<_>>(),
        [
            "line 2: quantity must be a whole number: the web shop sells whole units",
            "line 3: product_id must be a UUID",
            "line 4: has 1 fields, and the headers are 3",
            "line 5: there is no such location",
        ],
        "{}",
        refused.said()
    );

    let good = write(
        "good.csv",
        "product_id,location,quantity\r\n1a000000-0000-4000-8000-000000000001,\"St. \"\"Mary\"\", No. 1\",11.52\r\n\
         1a000000-0000-4000-8000-000000000002,,40\r\n",
    );
    let asked = import(&scratch, &good, &["--dry-run"]).await.succeeded();
    assert!(
        asked.stdout.starts_with(
            "nothing was done; it would change 2 of 2 stocks, 51.52 units in all, in "
        ),
        "{}",
        asked.said()
    );
    let levels = "select string_agg(product || ' ' || quantity, ', ' order by product, quantity) from interlock.inventory_levels";
    let stock = async || -> String { db.query_one(levels, &[]).await.expect("levels").get(0) };
    assert_eq!(stock().await, "Lamp 0, Tea 0");
    let done = import(&scratch, &good, &["--json"])
        .await
        .succeeded()
        .json();
    assert_eq!(
        (&done["success"], &done["changed"]),
        (&true.into(), &2.into())
    );
    assert_eq!(stock().await, "Lamp 40, Tea 0, Tea 11.52");
    let again = import(&scratch, &good, &["--replace"]).await.succeeded();
    assert!(
        again
            .stdout
            .starts_with("this file was imported before, and nothing was done again"),
        "{}",
        again.said()
    );
    assert_eq!(stock().await, "Lamp 40, Tea 0, Tea 11.52");

    let other = write(
        "other.csv",
        "product_id;quantity\n1a000000-0000-4000-8000-000000000002;7\n",
    );
    let kept = import(&scratch, &other, &[]).await.failed();
    assert!(
        kept.stdout.starts_with("line 2: there are 40 already"),
        "{}",
        kept.said()
    );
    import(&scratch, &other, &["--replace"]).await.succeeded();
    assert_eq!(stock().await, "Lamp 7, Tea 0, Tea 11.52");

    // A long one comes in pieces, and says how far it is.
    let lines: String = (0..5001).map(|_| "x,1\n").collect();
    let long = write("long.csv", &format!("product_id,quantity\n{lines}"));
    let told = import(&scratch, &long, &["--dry-run"]).await.failed();
    assert!(
        told.stderr
            .contains("5000 of 5001 lines are in the database")
            && told.stderr.contains("5001 of 5001")
            && told.stdout.contains("… and 4901 more"),
        "{}",
        told.said().chars().take(400).collect::<String>()
    );
    drop(db);
    scratch.remove().await;
}

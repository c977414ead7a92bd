//! `npm run audit`: what was broken is told, to people, to machines and as a page, until it is resolved.

use crate::cli::{work_folder, xtask};
use crate::scratch::Scratch;

const PRODUCT: &str = "
insert into interlock.products (id, name, price, currency, available_quantity)
values ('ad000000-0000-4000-8000-000000000001', 'Lamp', 100, 'EUR', 10)";

/// As a restore or a hand with the triggers off would.
const BREAK: &str = "
alter table interlock.products disable trigger user;
update interlock.products set available_quantity = 7;
alter table interlock.products enable trigger user";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_books_do_not_agree_on_is_told_until_it_is_resolved() {
    let scratch = Scratch::pushed("audit").await;
    let db = scratch.connect().await;
    db.batch_execute(PRODUCT).await.expect("a product");

    let audit = ["audit", "--db-url", &scratch.url];
    let clean = xtask(&audit, &[]).await.succeeded();
    assert!(
        clean.stdout.starts_with("the books agree: audit 1 of ")
            && clean
                .stdout
                .contains(" looked at 1 products and 0 orders, at everything, in "),
        "{}",
        clean.said()
    );

    db.batch_execute(BREAK).await.expect("rows can be changed");
    let page = work_folder("audit").join("audit.html");
    let page_path = page.to_str().expect("a path is text");
    let found = xtask(
        &[
            "audit",
            "--json",
            "--html",
            page_path,
            "--db-url",
            &scratch.url,
        ],
        &[],
    )
    .await
    .failed();
    assert!(
        found.stderr.contains("1 findings are open"),
        "{}",
        found.said()
    );
    let report = found.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["findings"][0]["kind"], "ledger");
    assert_eq!(report["findings"][0]["product"], "Lamp");
    assert_eq!(report["findings"][0]["size"], -3);
    assert_eq!(report["audits"].as_array().map(Vec::len), Some(2));
    let written = std::fs::read_to_string(&page).expect("the page was written");
    assert!(
        written.contains("1 finding is open") && written.matches("<circle").count() == 2,
        "{written}"
    );

    // The job says so, too, and whoever resolves it is told that all is well.
    let jobs = xtask(&["jobs", "--json", "--db-url", &scratch.url], &[]).await;
    assert!(
        jobs.failed()
            .stdout
            .contains("audit-inventory: 1 findings are open"),
        "the job tells of it"
    );
    db.batch_execute(
        "select public.resolve_finding(id, 'counted') from interlock.inventory_findings",
    )
    .await
    .expect("it is resolved");
    let filed = xtask(
        &["audit", "--filed", "--json", "--db-url", &scratch.url],
        &[],
    )
    .await;
    let filed = filed.succeeded().json();
    assert_eq!(
        (&filed["ok"], &filed["findings"]),
        (&true.into(), &serde_json::json!([]))
    );
    assert_eq!(
        filed["audits"].as_array().map(Vec::len),
        Some(2),
        "no audit was made"
    );
    drop(db);
    scratch.remove().await;
}

//! supabase/schemas is the truth: the migrations make exactly what its files say, and whatever differs is noticed.
//!
//! `cargo xtask migration NAME` runs the first of these tests with NAME in `DRAFT_MIGRATION`: what differs is then
//! written down as the next migration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;

use crate::cli::{root, supabase};
use crate::scratch::Scratch;

const INVENTORY: &str = include_str!("../../supabase/verify/inventory.sql");

/// The files that config.toml names, in the order in which they are loaded.
fn schema_files() -> Vec<PathBuf> {
    let config =
        std::fs::read_to_string(root().join("supabase/config.toml")).expect("it can be read");
    let config: toml::Table = config.parse().expect("it is TOML");
    let patterns = config["db"]["migrations"]["schema_paths"]
        .as_array()
        .expect("schema_paths is a list");
    let mut files = Vec::new();
    for pattern in patterns {
        let pattern = pattern.as_str().expect("a pattern is text");
        let matches = expand(&root().join("supabase"), pattern.trim_start_matches("./"));
        assert!(
            !matches.is_empty(),
            "schema_paths: {pattern} matches nothing"
        );
        for file in matches {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

/// As the CLI does: `*` is anything within one folder, and what a pattern matches is sorted.
fn expand(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let (first, rest) = pattern
        .split_once('/')
        .map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    let matches = |name: &str| match first.split_once('*') {
        None => name == first,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            matches(&name) && path.is_dir() == rest.is_some()
        })
        .collect();
    found.sort();
    match rest {
        None => found,
        Some(rest) => found.iter().flat_map(|path| expand(path, rest)).collect(),
    }
}

/// A database that the files have made.
async fn loaded(name: &str) -> Scratch {
    static MADE: OnceCell<String> = OnceCell::const_new();
    let template = MADE
        .get_or_init(async || {
            let scratch = Scratch::empty("schemas").await;
            let db = scratch.connect().await;
            // Functions name each other, in whatever order they come.
            db.batch_execute("set check_function_bodies = off")
                .await
                .expect("it can be set");
            for file in schema_files() {
                let sql = std::fs::read_to_string(&file).expect("it can be read");
                db.batch_execute(&sql)
                    .await
                    .unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
            }
            scratch.close().await;
            scratch.name().to_owned()
        })
        .await;
    Scratch::copy(name, template).await
}

/// What the CLI's pg-delta finds that has to be done to the first to make it the second.
async fn delta(from: &Scratch, to: &Scratch) -> String {
    let found = supabase(
        root(),
        &[
            "db",
            "diff",
            "--use-pg-delta",
            "--from",
            &from.url,
            "--to",
            &to.url,
        ],
    )
    .await
    .succeeded()
    .stdout;
    // It tells, too, what it does not look at (rights to set a parameter, which are the platform's).
    let told = |line: &&str| !line.starts_with(['│', '▲', '●']);
    let lines: Vec<&str> = found.lines().filter(told).collect();
    lines.join("\n").trim().to_owned()
}

/// Every thing in a database, with what it is.
async fn inventory(scratch: &Scratch) -> BTreeSet<String> {
    let rows = scratch.connect().await.query(INVENTORY, &[]).await;
    rows.expect("the inventory can be read")
        .iter()
        .map(|row| {
            let text = |column: usize| row.get::<_, String>(column);
            format!("{} {}: {}", text(0), text(1), text(2))
        })
        .filter(|thing| !thing.starts_with("migration "))
        .collect()
}

/// What only one of them has.
fn differences(of_migrations: &BTreeSet<String>, of_schemas: &BTreeSet<String>) -> String {
    let only = |mark: &str, these: &BTreeSet<String>, those: &BTreeSet<String>| -> String {
        let lines = these
            .difference(those)
            .map(|thing| format!("{mark} {thing}\n"));
        lines.collect()
    };
    only("only the migrations:", of_migrations, of_schemas)
        + &only("only supabase/schemas:", of_schemas, of_migrations)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_make_what_the_schemas_say() {
    let pushed = Scratch::pushed("migrated").await;
    let loaded = loaded("loaded").await;
    let forward = delta(&pushed, &loaded).await;
    let back = delta(&loaded, &pushed).await;
    let seen = differences(&inventory(&pushed).await, &inventory(&loaded).await);
    if let Ok(name) = std::env::var("DRAFT_MIGRATION") {
        draft(&name, &forward, &back, &seen);
        return;
    }
    assert!(
        forward.is_empty() && back.is_empty() && seen.is_empty(),
        "the migrations do not make what supabase/schemas says. `cargo xtask migration NAME` drafts the next one:\n\
         {forward}\n{seen}"
    );
    pushed.remove().await;
    loaded.remove().await;
}

/// Writes the draft of a migration and of its rollback.
fn draft(name: &str, forward: &str, back: &str, seen: &str) {
    if forward.is_empty() && back.is_empty() && seen.is_empty() {
        println!("the migrations make what supabase/schemas says: there is nothing to write");
        return;
    }
    let file = format!("{}_{name}.sql", timestamp(SystemTime::now()));
    let head = "-- DRAFT by `cargo xtask migration`: read it, order it, say what it is for, and take this line out.\n\n\
                set local lock_timeout = '5s';\n\n";
    for (folder, sql) in [("migrations", forward), ("rollback", back)] {
        let path = root().join("supabase").join(folder).join(&file);
        std::fs::write(&path, format!("{head}{sql}\n")).expect("it can be written");
        println!("wrote supabase/{folder}/{file}");
    }
    println!("what the inventory sees:\n{seen}");
}

/// `20261128060000`, as the CLI names migrations.
fn timestamp(now: SystemTime) -> String {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right")
        .as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}{:02}{:02}{:02}",
        rest / 3600,
        rest % 3600 / 60,
        rest % 60
    )
}

#[test]
fn the_names_of_migrations_are_moments() {
    let at = |seconds| timestamp(UNIX_EPOCH + std::time::Duration::from_secs(seconds));
    assert_eq!(at(0), "19700101000000");
    assert_eq!(at(1_798_761_599), "20261231235959");
    assert_eq!(at(1_709_208_000), "20240229120000");
}

#[test]
fn every_file_below_schemas_is_loaded() {
    fn below(folder: &Path, files: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                below(&path, files);
            } else {
                files.insert(path);
            }
        }
    }
    let mut there = BTreeSet::new();
    below(&root().join("supabase/schemas"), &mut there);
    let listed: BTreeSet<PathBuf> = schema_files().into_iter().collect();
    let forgotten: Vec<&PathBuf> = there.difference(&listed).collect();
    assert!(
        forgotten.is_empty(),
        "no pattern of schema_paths in supabase/config.toml matches {forgotten:?}"
    );
}

/// Kinds of change, each with an example.
const CHANGES: &[(&str, &str)] = &[
    (
        "a body",
        "create or replace function interlock.clock() returns timestamptz language plpgsql stable
         set search_path = '' as 'begin return clock_timestamp(); end'",
    ),
    ("a grant", "grant update on interlock.products to anon"),
    (
        "a grant on a column",
        "grant insert (code) on interlock.promo_codes to authenticated",
    ),
    (
        "a grant on a function",
        "grant execute on function interlock.credit_wallet to authenticated",
    ),
    (
        "a policy",
        "alter policy orders_select_own on interlock.orders using (true)",
    ),
    (
        "a comment",
        "comment on column interlock.orders.total is 'Another one.'",
    ),
    (
        "a trigger",
        "drop trigger orders_settle on interlock.orders",
    ),
    (
        "a trigger that is off",
        "alter table interlock.orders disable trigger orders_settle",
    ),
    (
        "a check",
        "alter table interlock.products drop constraint products_available_quantity_nonnegative;
         alter table interlock.products add constraint products_available_quantity_nonnegative check (available_quantity >= -1)",
    ),
    (
        "a domain",
        "alter domain interlock.amount drop constraint amount_nonnegative",
    ),
    (
        "a default",
        "alter table interlock.orders alter column id set default gen_random_uuid()",
    ),
    ("an index", "drop index interlock.orders_by_user"),
    (
        "a view",
        "create or replace view interlock.code_differences with (security_invoker = true) as
         select p.id as product_id, p.available_quantity, 0::bigint as free_codes from interlock.products p where false",
    ),
    (
        "the rights of a view",
        "alter view public.orders reset (security_invoker)",
    ),
    (
        "the order of columns",
        "alter table interlock.drivers add column active_ boolean not null default true;
         alter table interlock.drivers drop column active cascade;
         alter table interlock.drivers rename column active_ to active",
    ),
    (
        "a storage parameter",
        "alter table interlock.orders set (fillfactor = 90)",
    ),
    (
        "statistics",
        "alter table interlock.orders alter column user_id set statistics 500",
    ),
    (
        "a volatility",
        "alter function interlock.new_order stable strict",
    ),
    (
        "a setting of a function",
        "alter function interlock.checkout reset lock_timeout",
    ),
    (
        "an owner",
        "alter table interlock.drivers owner to supabase_admin",
    ),
    (
        "row security",
        "alter table interlock.drivers disable row level security",
    ),
    (
        "default privileges",
        "alter default privileges in schema interlock grant select on tables to anon",
    ),
    (
        "a foreign key",
        "alter table interlock.order_events drop constraint order_events_order_id_fkey",
    ),
    ("a function", "drop function public.list_orders"),
];

/// Copies are cheap, a look by pg-delta is not: it is asked where the inventory sees nothing, and of those that it
/// is known to see.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_noticed() {
    let as_said = loaded("as_said").await;
    let expected = inventory(&as_said).await;
    let mut missed = Vec::new();
    for (what, change) in CHANGES {
        let changed = loaded("changed").await;
        let db = changed.connect_as_admin().await;
        db.batch_execute(change)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        drop(db);
        let by_inventory = !differences(&expected, &inventory(&changed).await).is_empty();
        let by_delta = !by_inventory && !delta(&as_said, &changed).await.is_empty();
        println!(
            "{what}: seen by {}",
            match (by_inventory, by_delta) {
                (true, _) => "the inventory",
                (_, true) => "pg-delta",
                _ => "nobody",
            }
        );
        if !by_inventory && !by_delta {
            missed.push(*what);
        }
        changed.remove().await;
    }
    assert!(missed.is_empty(), "nobody notices {missed:?}");
    as_said.remove().await;
}

//! The migrations and their rollbacks, made of supabase/schemas: one for each area. Until the first release they are one
//! clean set that `cargo xtask codegen` writes anew; from then on a pushed file is never edited, this module goes, and
//! `cargo xtask migration NAME` drafts what comes next. So does its copy of how schema_paths is read (tests/ship/schemas.rs).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;

/// A migration: its version and name, what is in it, its first sentence.
struct Migration {
    file: &'static str,
    part: &'static str,
    title: &'static str,
}

/// The part of the stock that has a migration of its own: the incident report names it.
const FIX: &str = "fix";

const SET: &[Migration] = &[
    Migration {
        file: "20251101000100_foundation",
        part: "foundation",
        title: "Interlock: what every area stands on: schema, settings, errors, idempotency keys, counter slots.",
    },
    Migration {
        file: "20251101000200_delivery",
        part: "delivery",
        title: "Delivery batches, each claimed by one driver at a time.",
    },
    Migration {
        file: "20251110000100_stock",
        part: "stock",
        title: "Products and their stock.",
    },
    Migration {
        file: "20251116000000_fix_inventory_race_condition",
        part: FIX,
        title: "Stock that cannot be oversold: the check, decrement_product_quantity for the shop's own code, and the rights of stock.",
    },
    Migration {
        file: "20251117000100_orders",
        part: "orders",
        title: "Orders, from checkout to their end, and the codes of digital products.",
    },
    Migration {
        file: "20251117000200_payments",
        part: "payments",
        title: "Wallets and payment proofs.",
    },
    Migration {
        file: "20251118000100_promo",
        part: "promo",
        title: "Promo codes.",
    },
    Migration {
        file: "20251120000100_audit",
        part: "audit",
        title: "Audits of the stock: what its books do not agree on.",
    },
    Migration {
        file: "20251120000200_customers",
        part: "customers",
        title: "Customers of tills, and their points.",
    },
    Migration {
        file: "20251121000100_pos",
        part: "pos",
        title: "Tills: registers, shifts, sales.",
    },
    Migration {
        file: "20251121000200_warehouse",
        part: "warehouse",
        title: "The warehouse: picking sessions, and what is packed in them.",
    },
    Migration {
        file: "20251121000300_events",
        part: "events",
        title: "What has happened, to be told outside.",
    },
    Migration {
        file: "20251121000400_operations",
        part: "operations",
        title: "What there is to watch: queues and what in them is overdue, and the shop's state as metrics.",
    },
    Migration {
        file: "20251121000500_linking",
        part: "linking",
        title: "The shop's own tables: what comes from them, and stock and orders that are written to them.",
    },
    Migration {
        file: "20251121000600_shops",
        part: "shops",
        title: "Many shops in one installation: the list of them, and the shop key that every table gets when there are many.",
    },
    Migration {
        file: "20251122000100_jobs",
        part: "jobs",
        title: "What is done again and again.",
    },
];

const CHECK: &str = "
    constraint products_available_quantity_nonnegative check (available_quantity >= 0),";

/// Every migration and rollback with its text. A file of supabase/schemas that is in none of them is refused.
pub(crate) fn files(repo: &Repo) -> Result<Vec<(PathBuf, String)>> {
    let schemas = repo.root.join("supabase/schemas");
    let mut sources = Vec::new();
    for path in schema_files(repo)? {
        let name = path
            .strip_prefix(&schemas)
            .context("it lies below supabase/schemas")?
            .to_string_lossy()
            .into_owned();
        let sql = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", repo.relative(&path)))?;
        sources.push((name, sql));
    }
    if !sources.iter().any(|(_, sql)| sql.contains(CHECK)) {
        bail!(
            "products_available_quantity_nonnegative is not where crates/xtask/src/first_set.rs looks for it"
        );
    }
    let mut files = Vec::new();
    for migration in SET {
        let own: Vec<&(String, String)> = sources
            .iter()
            .filter(|(name, _)| part_of(name) == migration.part)
            .collect();
        let file = format!("{}.sql", migration.file);
        files.push((
            repo.root.join("supabase/migrations").join(&file),
            forward(migration, &own),
        ));
        files.push((
            repo.root.join("supabase/rollback").join(&file),
            back(migration.part, &own),
        ));
    }
    if let Some((name, _)) = sources
        .iter()
        .find(|(name, _)| SET.iter().all(|migration| migration.part != part_of(name)))
    {
        bail!(
            "supabase/schemas/{name} is in no migration: add its area to crates/xtask/src/first_set.rs"
        );
    }
    Ok(files)
}

/// The migration that a file of supabase/schemas is in.
fn part_of(name: &str) -> &str {
    const OF_FIX: [&str; 5] = [
        "stock/functions/decrement_product_quantity.sql",
        "stock/api/decrement_product_quantity.sql",
        "stock/comments.sql",
        "stock/rights.sql",
        "stock/exposed.sql",
    ];
    if name == "foundation/jobs.sql" {
        return "jobs";
    }
    if OF_FIX.contains(&name) {
        return FIX;
    }
    name.split('/').next().unwrap_or(name)
}

fn forward(migration: &Migration, sources: &[&(String, String)]) -> String {
    let mut sql = format!(
        "-- {}\n--\n-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions \
         name objects\n-- that come with later files, so they are not checked here.\n\nset local lock_timeout = '5s';\n\
         set local check_function_bodies = off;\n",
        migration.title
    );
    if migration.part == FIX {
        sql.push_str(
            "\nalter table interlock.products\n  add constraint products_available_quantity_nonnegative check \
             (available_quantity >= 0);\n",
        );
    }
    for (name, text) in sources {
        let text = if name == "stock/tables/products.sql" {
            text.replace(CHECK, ",")
        } else {
            text.clone()
        };
        sql.push_str(&format!("\n{}\n", text.trim_matches('\n')));
    }
    sql
}

/// Takes away what the migration has made, the last first.
fn back(part: &str, sources: &[&(String, String)]) -> String {
    let mut sql = "set local lock_timeout = '5s';\n\n".to_owned();
    let made = |kind: &str, start: &str| -> Vec<String> {
        let infix = format!("/{kind}/");
        sources
            .iter()
            .filter(|(name, _)| name.contains(&infix))
            .flat_map(|(_, text)| named_after(text, start))
            .collect()
    };
    if part == "jobs" {
        sql.push_str(
            "do $$
begin
  if to_regprocedure('cron.unschedule(text)') is not null then
    perform cron.unschedule(j.jobname) from cron.job j where j.jobname like 'interlock-%';
  end if;
end
$$;
",
        );
        return sql;
    }
    let exposed: Vec<String> = sources
        .iter()
        .filter(|(name, _)| name.ends_with("/exposed.sql"))
        .flat_map(|(_, text)| views_of(text))
        .collect();
    for view in exposed.iter().rev() {
        sql.push_str(&format!("select interlock.conceal('{view}');\n"));
    }
    let api: Vec<String> = sources
        .iter()
        .filter(|(name, _)| name.contains("/api/"))
        .flat_map(|(_, text)| signatures(text))
        .collect();
    drop_all(&mut sql, "function", &api);
    if part == "payments" {
        sql.push_str(
            "
do $$
begin
  if to_regclass('storage.objects') is not null then
    drop trigger if exists interlock_payment_proofs_limit on storage.objects;
    drop policy if exists interlock_payment_proofs_insert_own on storage.objects;
    drop policy if exists interlock_payment_proofs_select_own_or_staff on storage.objects;
  end if;
end
$$;

",
        );
    }
    if part == "shops" {
        sql.push_str("select interlock.serve_one_shop();\n");
    }
    if part == "linking" {
        // Its triggers on the shop's tables.
        sql.push_str("select interlock.unlink_products(l.source) from interlock.product_links l where l.active;\n");
        sql.push_str("select interlock.unlink_orders(l.target) from interlock.order_links l;\n");
        sql.push_str("select interlock.unlink_customers(l.source) from interlock.customer_links l where l.active;\n");
    }
    if part == "events" {
        sql.push_str(
            "
do $$
begin
  if to_regclass('realtime.messages') is not null then
    drop policy if exists interlock_select_listeners on realtime.messages;
  end if;
end
$$;

",
        );
    }
    for view in made("views", "create view ").iter().rev() {
        sql.push_str(&format!("drop view {view};\n"));
    }
    let functions = made("functions", "create function ");
    let own = made("tables", "create table ");
    for (trigger, table) in sources.iter().flat_map(|(_, text)| triggers(text)) {
        if !own.contains(&table) {
            sql.push_str(&format!("drop trigger {trigger} on {table};\n"));
        }
    }
    // Tables of other areas are dropped before; those of the foundation use functions in their defaults.
    if part != "foundation" {
        drop_all(&mut sql, "function", &functions);
    }
    let mut tables = own;
    tables.reverse();
    drop_all(&mut sql, "table", &tables);
    let mut last = if part == "foundation" {
        functions
    } else {
        Vec::new()
    };
    last.extend(made("triggers", "create function "));
    last.extend(made("types", "create function "));
    drop_all(&mut sql, "type", &made("types", "create type "));
    // Their checks may ask a function.
    drop_all(&mut sql, "domain", &made("types", "create domain "));
    drop_all(&mut sql, "function", &last);
    drop_all(&mut sql, "sequence", &made("types", "create sequence "));
    if part == FIX {
        sql.push_str(
            "alter table interlock.products drop constraint products_available_quantity_nonnegative;\n",
        );
    }
    if part == "foundation" {
        sql.push_str("drop schema interlock_parts;\ndrop schema interlock;\n");
    }
    sql
}

fn drop_all(sql: &mut String, kind: &str, names: &[String]) {
    if !names.is_empty() {
        sql.push_str(&format!("drop {kind}\n  {};\n", names.join(",\n  ")));
    }
}

/// `interlock.x` of each line that begins with `create … interlock.x`; a quoted name may have a slash in it.
fn named_after(sql: &str, start: &str) -> Vec<String> {
    sql.lines()
        .filter_map(|line| line.strip_prefix(start))
        .filter(|rest| rest.starts_with("interlock."))
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && !"_.\"/".contains(c))
                .next()
                .unwrap_or(rest)
                .to_owned()
        })
        .collect()
}

/// The name and the table of each trigger on a table of ours.
fn triggers(sql: &str) -> Vec<(String, String)> {
    sql.split("\ncreate trigger ")
        .skip(1)
        .filter_map(|rest| {
            let mut words = rest.split_whitespace();
            let name = words.next()?;
            let table = words.skip_while(|word| *word != "on").nth(1)?;
            let table = table.starts_with("interlock.").then_some(table)?;
            Some((name.to_owned(), table.to_owned()))
        })
        .collect()
}

/// `x` of each `interlock.expose('x')`.
fn views_of(sql: &str) -> Vec<String> {
    sql.split("expose('")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next())
        .map(str::to_owned)
        .collect()
}

/// `public.x(…)` of each comment on such a function.
fn signatures(sql: &str) -> Vec<String> {
    sql.split("comment on function public.")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(signature, _)| format!("public.{signature})"))
        .collect()
}

/// The files that config.toml names, in the order in which they are loaded.
fn schema_files(repo: &Repo) -> Result<Vec<PathBuf>> {
    let config: toml::Table =
        fs::read_to_string(repo.root.join("supabase/config.toml"))?.parse()?;
    let patterns = config["db"]["migrations"]["schema_paths"]
        .as_array()
        .context("schema_paths in supabase/config.toml is a list")?;
    let mut files = Vec::new();
    for pattern in patterns {
        let pattern = pattern.as_str().context("a pattern is text")?;
        for file in expand(
            &repo.root.join("supabase"),
            pattern.trim_start_matches("./"),
        )? {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// As the CLI does: `*` is anything within one folder, and what a pattern matches is sorted.
fn expand(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let (first, rest) = pattern
        .split_once('/')
        .map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    let matches = |name: &str| match first.split_once('*') {
        None => name == first,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    };
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if matches(&name) && path.is_dir() == rest.is_some() {
                found.push(path);
            }
        }
    }
    found.sort();
    let Some(rest) = rest else { return Ok(found) };
    let mut all = Vec::new();
    for path in found {
        all.extend(expand(&path, rest)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let sql = "create table interlock.a (\n  id int\n);\ncreate table public.b ();\n";
        assert_eq!(named_after(sql, "create table "), ["interlock.a"]);
        let sql = "comment on function public.c(uuid, int) is\n  'Text (of it).';";
        assert_eq!(signatures(sql), ["public.c(uuid, int)"]);
        assert_eq!(views_of("select interlock.expose('d');"), ["d"]);
        let sql = "\ncreate trigger e\n  before update of x on interlock.f\n  for each row";
        assert_eq!(triggers(sql), [("e".to_owned(), "interlock.f".to_owned())]);
    }

    #[test]
    fn stock_has_two_migrations() {
        assert_eq!(part_of("stock/rights.sql"), FIX);
        assert_eq!(part_of("stock/tables/products.sql"), "stock");
        assert_eq!(part_of("foundation/jobs.sql"), "jobs");
    }
}

//! Each table, role and verb, tried through PostgREST: what happens is what the database grants.

use super::endpoints::{self, Table};
use super::http::Call;
use super::people::Cast;
use crate::harness::stack::Bench;
use crate::prove::report::Section;
use anyhow::Result;
use reqwest::Method;

/// Verbs of SQL with the method that PostgREST makes them of.
const VERBS: [(&str, Method); 4] = [
    ("select", Method::GET),
    ("insert", Method::POST),
    ("update", Method::PATCH),
    ("delete", Method::DELETE),
];

/// Tries everything. Nothing is changed: what is allowed meets no row, or a constraint.
pub(super) async fn check(bench: &Bench, cast: &Cast, section: &mut Section) -> Result<()> {
    let mut tried = 0;
    let tables = endpoints::tables(&bench.db).await?;
    let exposed = |table: &Table| {
        let view = tables
            .iter()
            .any(|view| view.schema == "public" && view.name == table.name);
        table.schema != "public" && view
    };
    // A table that has a view in public is tried through that.
    for table in tables.iter().filter(|table| !exposed(table)) {
        for (who, role, key, token) in cast.everybody(bench.stack) {
            for (verb, method) in VERBS {
                tried += 1;
                let (column, granted) = granted(bench, table, role, verb).await?;
                let call = attempt(table, method, &column).by(&key, token.as_deref());
                let reply = call.send(bench.stack).await;
                let as_granted = if table.schema != "public" {
                    reply.status == 404 && reply.code() == "PGRST205"
                } else if granted {
                    reply.status < 500 && ![401, 403, 404, 405].contains(&reply.status)
                } else if table.is_view && verb != "select" {
                    // A view over several tables takes no rows, whoever asks.
                    reply.status >= 400
                } else {
                    [401, 403].contains(&reply.status)
                };
                if !as_granted {
                    section.failures.push(format!(
                        "{who}: {verb} {}.{}, granted: {granted}, was answered {}",
                        table.schema,
                        table.name,
                        reply.brief()
                    ));
                }
            }
        }
    }
    for table in &tables {
        for (who, _, key, token) in cast.everybody(bench.stack) {
            if table.schema == "public" {
                continue;
            }
            tried += 1;
            let reply = Call::get(format!("/rest/v1/{}", table.name))
                .by(&key, token.as_deref())
                .header("accept-profile", table.schema.clone())
                .send(bench.stack)
                .await;
            if reply.status != 406 {
                section.failures.push(format!(
                    "{who}: schema {} is exposed: {}",
                    table.schema,
                    reply.brief()
                ));
            }
        }
    }
    section.count("reads and writes tried: table × caller × verb", tried);
    Ok(())
}

/// The column to try it on, and whether the database lets the role. Postgres refuses an identity
/// column before it looks at rights.
async fn granted(bench: &Bench, table: &Table, role: &str, verb: &str) -> Result<(String, bool)> {
    let name = format!("{}.{}", table.schema, table.name);
    let first = table.columns.first().cloned().unwrap_or_default();
    if verb == "delete" {
        let row = bench
            .db
            .query_one(
                "select has_table_privilege($1, $2, 'delete')",
                &[&role, &name],
            )
            .await?;
        return Ok((first, row.get(0)));
    }
    let row = bench
        .db
        .query_opt(
            "select a.attname::text, c.granted
             from pg_attribute a
             cross join lateral (select has_column_privilege($1::text, a.attrelid, a.attnum, $3) as granted) c
             where a.attrelid = to_regclass($2::text) and a.attnum > 0 and not a.attisdropped
               and a.attidentity = ''
             order by c.granted desc, a.attnum limit 1",
            &[&role, &name, &verb],
        )
        .await?;
    Ok(row.map_or((first, false), |row| (row.get(0), row.get(1))))
}

/// No row has null in its key, so nothing is met; null in a key is refused.
fn attempt(table: &Table, method: Method, column: &str) -> Call {
    let path = format!("/rest/v1/{}", table.name);
    let first = table.columns.first().map_or("id", String::as_str);
    let body = format!(r#"{{"{column}": null}}"#);
    let call = match method {
        Method::GET => Call::get(format!("{path}?select={column}&limit=1")),
        Method::POST => Call::post(path, body),
        Method::PATCH => Call::post(format!("{path}?{first}=is.null"), body),
        _ => Call::get(format!("{path}?{first}=is.null")),
    };
    Call { method, ..call }
}

//! The tables that a shop has rows in.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use tokio_postgres::Client;

/// The list of shops, whose rows have no shop key but an id.
const LIST: &str = "interlock.shops";
/// So many differences are told.
const TOLD: usize = 10;

/// A table, without its parts.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
}

/// A column that is written; not one that Postgres computes.
pub(crate) struct Column {
    /// Quoted where it has to be.
    pub(crate) name: String,
    kind: String,
    required: bool,
    /// What it counts by.
    pub(crate) sequence: Option<String>,
}

/// What stands at the target instead of what means something at the source alone.
pub(crate) struct Kept<'a> {
    /// The id of a transaction that has ended.
    pub(crate) transaction: &'a str,
    /// A snapshot that sees it.
    pub(crate) snapshot: &'a str,
    /// The shop's state.
    pub(crate) state: &'a str,
}

const COLUMNS: &str = "
select t.name::text, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '', coalesce(
  pg_get_serial_sequence(t.name::text, a.attname),
  (
    select d.refobjid::regclass::text
    from pg_attrdef f
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
    join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
    where f.adrelid = t.name and f.adnum = a.attnum
  )
)
from (
  select k.name from interlock.keyed_tables() k where not k.is_part
  union all
  select 'interlock.shops'::regclass
) t
join pg_attribute a on a.attrelid = t.name and a.attnum > 0 and not a.attisdropped
order by 1, 2";

/// The tables of both databases, if they are the same.
pub(crate) async fn same(source: &Client, target: &Client) -> Result<Vec<Table>> {
    let (tables, here) = read(source).await.context("the source")?;
    let (_, there) = read(target).await.context("the target")?;
    let lacks = |what: &str, side: &str| format!("{what}: only at the {side}");
    let source_only = here.difference(&there).map(|what| lacks(what, "source"));
    let target_only = there.difference(&here).map(|what| lacks(what, "target"));
    let mut different: Vec<String> = source_only.chain(target_only).collect();
    if !different.is_empty() {
        let count = different.len();
        different.truncate(TOLD);
        bail!(
            "the databases differ in {count} columns; bring both to the same migrations\n{}",
            different.join("\n")
        );
    }
    Ok(tables)
}

/// The tables, and each column in words.
async fn read(db: &Client) -> Result<(Vec<Table>, BTreeSet<String>)> {
    let serves = db.query_one("select interlock.serves_shops()", &[]).await;
    let serves: bool = serves
        .context("it has no Interlock that knows of many shops")?
        .get(0);
    anyhow::ensure!(
        serves,
        "it serves one shop: `select interlock.serve_shops()` lets it serve many"
    );
    let mut tables: Vec<Table> = Vec::new();
    let mut words = BTreeSet::new();
    for row in db.query(COLUMNS, &[]).await? {
        let (table, name, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (required, computed): (bool, bool) = (row.get(3), row.get(4));
        words.insert(format!(
            "{table}.{name} {kind}{}",
            if computed { ", computed" } else { "" }
        ));
        if tables.last().is_none_or(|last| last.name != table) {
            tables.push(Table {
                name: table,
                columns: Vec::new(),
            });
        }
        if let Some(table) = tables.last_mut().filter(|_| !computed) {
            table.columns.push(Column {
                name,
                kind,
                required,
                sequence: row.get(5),
            });
        }
    }
    Ok((tables, words))
}

impl Table {
    /// Whether it is the list of shops.
    pub(crate) fn is_list(&self) -> bool {
        self.name == LIST
    }

    /// Which rows are the shop's.
    pub(crate) fn rows_of(&self, shop: i32) -> String {
        let key = if self.is_list() { "id" } else { "shop_id" };
        format!("{} t where t.{key} = {shop}", self.name)
    }

    /// Whether the shop has any.
    pub(crate) async fn has_rows(&self, db: &Client, shop: i32) -> Result<bool> {
        let query = format!("select exists (select from {})", self.rows_of(shop));
        Ok(db.query_one(&query, &[]).await?.get(0))
    }

    /// What a column has at the target, where that is not what it has at the source.
    pub(crate) fn instead(&self, column: &Column, kept: &Kept<'_>) -> Option<String> {
        match (self.name.as_str(), column.name.as_str()) {
            (LIST, "state") => return Some(format!("'{}'", kept.state)),
            ("interlock.delivery_cursor", "position") => return Some("0".to_owned()),
            _ => {}
        }
        match (column.kind.as_str(), column.required) {
            ("xid8", _) => Some(format!("'{}'::xid8", kept.transaction)),
            ("pg_snapshot", true) => Some(format!("'{}'::pg_snapshot", kept.snapshot)),
            ("pg_snapshot", false) => Some("null".to_owned()),
            _ => None,
        }
    }
}

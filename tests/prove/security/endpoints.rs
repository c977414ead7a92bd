//! What can be called, read from the database: a new table, function or argument is covered by itself.

use anyhow::Result;
use interlock_domain::FUNCTIONS;
use serde_json::{Map, Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// A function of schema `public`.
#[derive(Clone, Debug)]
pub(super) struct Rpc {
    pub(super) name: String,
    /// Whether a signed-in user may call it; else only the shop's servers may.
    pub(super) for_users: bool,
    /// Whether anybody may, signed in or not.
    pub(super) for_anyone: bool,
    pub(super) arguments: Vec<Argument>,
}

/// An argument with its type.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: String,
}

impl Rpc {
    /// Where PostgREST has it.
    pub(super) fn path(&self) -> String {
        format!("/rest/v1/rpc/{}", self.name)
    }

    /// Arguments of the right types that name nothing that exists, and change nothing.
    pub(super) fn harmless(&self) -> Map<String, Value> {
        self.arguments
            .iter()
            .filter_map(|argument| Some((argument.name.clone(), argument.harmless()?)))
            // A choice that cannot be left away.
            .chain((self.name == "manage_inventory").then(|| ("p_action".to_owned(), json!("get"))))
            .collect()
    }
}

impl Argument {
    /// Whether it is one of a few words, and may be left away.
    pub(super) fn is_a_choice(&self) -> bool {
        ["p_action", "p_payment_method"].contains(&self.name.as_str())
    }

    fn harmless(&self) -> Option<Value> {
        Some(match (self.kind.as_str(), self.name.as_str()) {
            // Whoever names a buyer is staff.
            ("uuid", "p_on_behalf_of") => return None,
            ("uuid", _) => json!(Uuid::new_v4()),
            ("uuid[]", _) => json!([Uuid::new_v4()]),
            ("text[]", _) => json!(["test:harmless"]),
            ("jsonb", "p_shipping_address" | "p_contact" | "p_metadata") => json!({ "x": "y" }),
            ("jsonb", _) => json!([{ "product_id": Uuid::new_v4(), "quantity": 1 }]),
            ("boolean", _) => json!(true),
            ("timestamp with time zone", _) => json!("2000-01-01T00:00:00Z"),
            _ if self.is_a_choice() => return None,
            ("text", "p_currency") => json!("USD"),
            ("text", _) => json!("test:harmless"),
            // `expire_orders(0)` ends no order, and nobody can be credited nothing.
            _ => json!(0),
        })
    }
}

/// All functions of schema `public` that some role of the API may call.
pub(super) async fn rpcs(db: &Client) -> Result<Vec<Rpc>> {
    let rows = db
        .query(
            "select f.proname::text, has_function_privilege('authenticated', f.oid, 'execute'),
                    coalesce(f.proargnames, array[]::text[]),
                    array(select format_type(t, null) from unnest(f.proargtypes::oid[]) as t),
                    has_function_privilege('anon', f.oid, 'execute')
             from pg_proc f
             where f.pronamespace = 'public'::regnamespace
               and has_function_privilege('service_role', f.oid, 'execute')
               and not exists (select 1 from pg_depend d where d.objid = f.oid and d.deptype = 'e')
             order by 1",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Rpc {
            name: row.get(0),
            for_users: row.get(1),
            for_anyone: row.get(4),
            arguments: row
                .get::<_, Vec<String>>(2)
                .into_iter()
                .zip(row.get::<_, Vec<String>>(3))
                .map(|(name, kind)| Argument { name, kind })
                .collect(),
        })
        .collect())
}

/// An edge function with a good body that names nothing that exists.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) for_users: bool,
    /// Whether the service role calls it, too.
    pub(super) by_shop: bool,
    pub(super) body: Value,
}

impl Function {
    /// Where the platform has it.
    pub(super) fn path(&self) -> String {
        format!("/functions/v1/{}", self.name)
    }
}

/// The edge functions, each with the first sample of its record.
pub(super) fn functions() -> Vec<Function> {
    let told = FUNCTIONS.iter().map(|function| Function {
        name: function.name,
        for_users: function.is_for_users(),
        by_shop: function.is_by_shop(),
        body: serde_json::from_str(function.told.samples[0].body).expect("a sample is JSON"),
    });
    told.collect()
}

/// A table or view of schema `public` or `interlock` with its columns in order.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) is_view: bool,
    pub(super) columns: Vec<String>,
}

/// All of them but those of extensions.
pub(super) async fn tables(db: &Client) -> Result<Vec<Table>> {
    let rows = db
        .query(
            "select c.relnamespace::regnamespace::text, c.relname::text, c.relkind = 'v',
                    array(select a.attname::text from pg_attribute a
                          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
             from pg_class c
             where c.relnamespace::regnamespace::text in ('public', 'interlock') and c.relkind in ('r', 'p', 'v')
               and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
             order by 1, 2",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Table {
            schema: row.get(0),
            name: row.get(1),
            is_view: row.get(2),
            columns: row.get(3),
        })
        .collect())
}

/// Every two views of schema `public` over tables of which one refers to the other: PostgREST embeds either in
/// the other.
pub(super) async fn references(db: &Client) -> Result<Vec<(String, String)>> {
    let rows = db
        .query(
            "select distinct a.relname::text, b.relname::text
             from pg_constraint k
             join pg_class a on a.oid = k.conrelid join pg_class b on b.oid = k.confrelid
             where k.contype = 'f' and a.relnamespace = 'interlock'::regnamespace and b.relnamespace = 'interlock'::regnamespace
               and to_regclass('public.' || a.relname) is not null and to_regclass('public.' || b.relname) is not null
             order by 1, 2",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// How many rows each table has.
pub(super) async fn row_counts(db: &Client) -> Result<Vec<(String, i64)>> {
    let mut counts = Vec::new();
    for table in tables(db).await?.iter().filter(|table| !table.is_view) {
        let name = format!("{}.{}", table.schema, table.name);
        let row = db
            .query_one(&format!("select count(*) from {name}"), &[])
            .await?;
        counts.push((name, row.get(0)));
    }
    Ok(counts)
}

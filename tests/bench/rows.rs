//! Rows for the load to work on, whose ids are known without asking.

use anyhow::{Context as _, Result};
use tokio_postgres::Client;
use uuid::Uuid;

/// Kinds of rows, each with ids of its own.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Kind {
    User = 0xbe00_0000,
    /// Sold by everybody at once.
    Hot = 0xbe01_0000,
    /// One of many.
    Cold = 0xbe02_0000,
    Batch = 0xbe03_0000,
    Location = 0xbe04_0000,
    /// The stock of cold products at the first location, then that at the second.
    Inventory = 0xbe05_0000,
    /// At the first location.
    Register = 0xbe06_0000,
    PickingSession = 0xbe07_0000,
    /// An order that is packed.
    Packed = 0xbe08_0000,
}

impl Kind {
    /// The id of row `n`.
    pub(crate) fn id(self, n: u64) -> Uuid {
        let version_and_variant = 0x4000_8000_0000_0000_0000_u128;
        Uuid::from_u128(((self as u128) << 96) | version_and_variant | u128::from(n))
    }

    /// The same in SQL, of an expression that is an integer.
    pub(crate) fn sql(self, n: &str) -> String {
        format!(
            "('{:08x}-0000-4000-8000-' || lpad(to_hex({n}), 12, '0'))::uuid",
            self as u32
        )
    }
}

/// The peers, as whom a project's own SQL runs as on the platform: of a superuser Postgres asks no right of any operator, which it
/// otherwise does anew in every call.
pub(crate) async fn add_peers(client: &Client, scripts: &[&str]) -> Result<()> {
    client
        .batch_execute(
            "do $$ begin execute format('grant create on database %I to postgres', current_database()); end $$;
             set role postgres",
        )
        .await?;
    for script in scripts {
        client.batch_execute(script).await.context("a peer")?;
    }
    client.batch_execute("reset role").await?;
    Ok(())
}

/// Here they buy more than any customer may.
pub(crate) async fn lift_limits(client: &Client) -> Result<()> {
    client
        .batch_execute(
            "update interlock.settings
             set max_open_orders_per_customer = null, max_open_units_per_customer = null",
        )
        .await?;
    Ok(())
}

/// So many signed-in users.
pub(crate) async fn add_users(client: &Client, count: u64) -> Result<Vec<Uuid>> {
    let id = Kind::User.sql("n");
    client
        .execute(
            &format!(
                "insert into auth.users (id, aud, role, email)
                 select {id}, 'authenticated', 'authenticated', n || '@bench.example'
                 from generate_series(0, $1::bigint - 1) as n on conflict do nothing"
            ),
            &[&i64::try_from(count)?],
        )
        .await?;
    Ok((0..count).map(|n| Kind::User.id(n)).collect())
}

/// Rows 0 to `count` of a kind of product, in the shop and in the peers' one.
pub(crate) async fn add_products(client: &Client, kind: Kind, count: u64) -> Result<()> {
    let numbers = format!("generate_series(0, {count} - 1)");
    insert_products(client, kind, &numbers, 1_000_000).await
}

/// One product with that stock, in the shop and in the peers' one.
pub(crate) async fn add_product(client: &Client, kind: Kind, n: u64, stock: i32) -> Result<()> {
    insert_products(client, kind, &format!("generate_series({n}, {n})"), stock).await
}

async fn insert_products(client: &Client, kind: Kind, numbers: &str, stock: i32) -> Result<()> {
    for table in ["interlock.products", "bench_peers.products"] {
        let id = kind.sql("n");
        let insert = format!(
            "insert into {table} (id, name, price, currency, available_quantity)
             select {id}, 'bench ' || n, 700, 'USD', {stock} from {numbers} as n
             on conflict do nothing"
        );
        client.batch_execute(&insert).await.context(insert)?;
    }
    Ok(())
}

/// Stock of so many cold products at each of two locations, in the shop and in the peers' one.
pub(crate) async fn add_inventory(client: &Client, products: u64) -> Result<()> {
    let (location, product, row) = (
        Kind::Location.sql("l"),
        Kind::Cold.sql("n"),
        Kind::Inventory.sql(&format!("l * {products} + n")),
    );
    let rows = format!("generate_series(0, 1) as l, generate_series(0, {products} - 1) as n");
    client
        .batch_execute(&format!(
            "insert into interlock.locations (id, name) select {location}, 'bench ' || l from generate_series(0, 1) as l
               on conflict do nothing;
             insert into interlock.inventory (id, product_id, location_id, quantity)
               select {row}, {product}, {location}, 1000000 from {rows} on conflict do nothing;
             insert into bench_peers.inventory (id, quantity) select {row}, 1000000 from {rows} on conflict do nothing"
        ))
        .await?;
    Ok(())
}

/// So many tills where the stock of the first location is, each with a shift.
pub(crate) async fn add_tills(client: &Client, count: u64) -> Result<()> {
    let (location, register) = (Kind::Location.sql("0"), Kind::Register.sql("n"));
    client
        .batch_execute(&format!(
            "insert into interlock.registers (id, location_id, name, currency)
               select {register}, {location}, 'bench ' || n, 'USD' from generate_series(0, {count} - 1) as n;
             insert into interlock.shifts (register_id, opening_cash)
               select {register}, 0 from generate_series(0, {count} - 1) as n"
        ))
        .await?;
    Ok(())
}

/// So many picking sessions with so many orders each, of a cold product each, and one more whose orders are all of one
/// product; in the shop and in the peers' one. More is picked than a run can pack.
pub(crate) async fn add_picking_sessions(
    client: &Client,
    sessions: u64,
    orders: u64,
) -> Result<()> {
    let (session, order, user) = (
        Kind::PickingSession.sql("s"),
        Kind::Packed.sql(&format!("s * {orders} + n")),
        Kind::User.sql("0"),
    );
    let product = Kind::Cold.sql(&format!("case when s = {sessions} then 0 else n end"));
    let rows = format!(
        "generate_series(0, {sessions}) as s cross join generate_series(0, {orders} - 1) as n"
    );
    client
        .batch_execute(&format!(
            "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, fulfillment)
               select {order}, {user}, 'confirmed', 'USD', 700, 700, 'cash_on_delivery', 'processing' from {rows};
             insert into interlock.picking_sessions (id, location_id, status, open_orders)
               select {session}, interlock.online_location(), 'packing', {orders} from generate_series(0, {sessions}) as s;
             insert into interlock.picking_session_orders (picking_session_id, order_id, position)
               select {session}, {order}, n + 1 from {rows};
             insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, quantity_picked)
               select distinct {session}, {product}, 100000000, 100000000 from {rows};
             insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
               select {session}, {order}, {product}, 100000000 from {rows};
             insert into bench_peers.picking_sessions (id, status)
               select {session}, 'packing' from generate_series(0, {sessions}) as s;
             insert into bench_peers.picking_session_items
               select distinct {session}, {product}, 100000000, 100000000 from {rows};
             insert into bench_peers.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
               select {session}, {order}, {product}, 100000000 from {rows}"
        ))
        .await?;
    Ok(())
}

/// Spreads the stock of a product over slots.
pub(crate) async fn set_stock_slots(client: &Client, product: Uuid, slots: u64) -> Result<()> {
    let call = "select public.set_stock_slots($1, $2)";
    client
        .execute(call, &[&product, &i32::try_from(slots)?])
        .await?;
    Ok(())
}

/// A code of ten per cent with more uses than a run can take, in the shop and in the peers' one.
pub(crate) async fn add_promo(client: &Client, code: &str) -> Result<()> {
    for insert in [
        "insert into interlock.promo_codes (code, discount_type, discount_value, max_uses)
         values ($1::text, 'percentage', 10, 100000000) on conflict do nothing",
        "insert into bench_peers.promo_codes (code, discount_percent, max_uses)
         values ($1, 10, 100000000) on conflict do nothing",
    ] {
        client.execute(insert, &[&code]).await?;
    }
    Ok(())
}

/// Spreads the total of a promo code over slots.
pub(crate) async fn set_promo_slots(client: &Client, code: &str, slots: i32) -> Result<()> {
    let call = "select public.set_promo_slots(id, $2) from interlock.promo_codes where code = $1";
    client.execute(call, &[&code, &slots]).await?;
    Ok(())
}

/// Makes the users active drivers.
pub(crate) async fn add_drivers(client: &Client, users: &[Uuid]) -> Result<()> {
    let insert =
        "insert into interlock.drivers (user_id) select unnest($1::uuid[]) on conflict do nothing";
    client.execute(insert, &[&users]).await?;
    Ok(())
}

/// Tells the planner what is in the tables, as autovacuum would in time; like autovacuum it leaves empty ones
/// alone. Of a table that was found empty Postgres plans to read all of it, and a session goes on doing
/// so while the table fills.
pub(crate) async fn vacuum_what_has_rows(client: &Client) -> Result<()> {
    let tables: Option<String> = client
        .query_one(
            "select string_agg(c.oid::regclass::text, ', ')
             from pg_class c
             where c.relkind = 'r'
               and c.relnamespace::regnamespace::text in ('auth', 'public', 'interlock', 'interlock_parts', 'bench_peers')
               and pg_relation_size(c.oid) > 0",
            &[],
        )
        .await?
        .get(0);
    if let Some(tables) = tables {
        client
            .batch_execute(&format!("vacuum (analyze) {tables}"))
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_rust_and_in_sql_are_the_same() {
        assert_eq!(
            Kind::Cold.id(0x1f).to_string(),
            "be020000-0000-4000-8000-00000000001f"
        );
        assert!(Kind::Cold.sql("n").contains("'be020000-0000-4000-8000-'"));
    }
}

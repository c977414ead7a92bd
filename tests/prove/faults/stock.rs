//! What the clients work on.

use super::clients::Goods;
use super::site::Site;
use anyhow::Result;
use uuid::Uuid;

/// What is in the store at first.
pub(crate) const IN_STORE: i64 = 100_000;

/// Users with wallets who drive too, and something to buy.
pub(crate) async fn stock_up(site: &Site, users: &[Uuid]) -> Result<Goods> {
    let db = site.connect().await?;
    let goods = Goods {
        plenty: (0..4).map(|_| Uuid::new_v4()).collect(),
        scarce: Uuid::new_v4(),
        digital: Uuid::new_v4(),
        in_store: Uuid::new_v4(),
        register: Uuid::new_v4(),
        packing: [Uuid::new_v4(), Uuid::new_v4()],
        promo: format!("F{}", Uuid::new_v4().simple()).to_uppercase(),
    };
    db.execute(
        "insert into auth.users (id, aud, role, email)
         select id, 'authenticated', 'authenticated', id || '@test.example' from unnest($1::uuid[]) as id",
        &[&users],
    )
    .await?;
    db.execute(
        "insert into interlock.drivers (user_id) select unnest($1::uuid[])",
        &[&users],
    )
    .await?;
    db.execute(
        "insert into interlock.products (id, name, price, currency, available_quantity)
         select id, 'test:' || id, 700, 'USD', case when id = $2 then 60 else 100000 end
         from unnest($1::uuid[] || $2::uuid) as id",
        &[&goods.plenty, &goods.scarce],
    )
    .await?;
    db.execute(
        "insert into interlock.products (id, name, price, currency, kind)
         values ($1::uuid, 'test:' || $1::uuid, 700, 'USD', 'digital')",
        &[&goods.digital],
    )
    .await?;
    db.execute(
        "insert into interlock.product_codes (product_id, code)
         select $1, 'test:' || n from generate_series(1, 150) as n",
        &[&goods.digital],
    )
    .await?;
    db.execute(
        "with store as (insert into interlock.locations (name) values ('test:store') returning id)
         insert into interlock.inventory (id, product_id, location_id, quantity)
         select $1, $2, store.id, $3::bigint from store",
        &[&goods.in_store, &goods.scarce, &IN_STORE],
    )
    .await?;
    db.execute(
        "with till as (
           insert into interlock.registers (id, location_id, name, currency)
           select $1, i.location_id, 'test:till', 'USD' from interlock.inventory i where i.id = $2
           returning id
         )
         insert into interlock.shifts (register_id, opening_cash) select till.id, 0 from till",
        &[&goods.register, &goods.in_store],
    )
    .await?;
    let [session, order] = goods.packing;
    db.execute(
        "with o as (
           insert into interlock.orders (id, status, currency, subtotal, total, payment_method)
           values ($2, 'confirmed', 'USD', 700, 700, 'cash_on_delivery')
         ),
         l as (
           insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind, untracked)
           values ($2, $3, 1, 700, 'test', 'physical', true)
         ),
         s as (
           insert into interlock.picking_sessions (id, location_id, status, open_orders)
           values ($1, interlock.online_location(), 'packing', 1)
         ),
         b as (
           insert into interlock.picking_session_orders (picking_session_id, order_id, position) values ($1, $2, 1)
         ),
         i as (
           insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, quantity_picked)
           values ($1, $3, 1000000, 1000000)
         )
         insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
         values ($1, $2, $3, 1000000)",
        &[&session, &order, &goods.plenty[0]],
    )
    .await?;
    // By itself, so that its history tells it.
    db.execute(
        "update interlock.orders set fulfillment = 'processing' where id = $1",
        &[&order],
    )
    .await?;
    // What is scarce and half of what is not are in slots.
    db.execute(
        "select public.set_stock_slots(id, 3) from unnest($1::uuid[]) as id",
        &[&[&goods.plenty[..2], &[goods.scarce]].concat()],
    )
    .await?;
    db.execute(
        "insert into interlock.promo_codes (code, discount_type, discount_value, max_uses)
         values ($1::text, 'percentage', 10, 150)",
        &[&goods.promo],
    )
    .await?;
    db.execute(
        "select public.set_promo_slots(id, 3) from interlock.promo_codes where code = $1",
        &[&goods.promo],
    )
    .await?;
    Ok(goods)
}

/// Fails if our drivers could claim what is not ours.
pub(crate) async fn no_batches_of_others(site: &Site) -> Result<()> {
    let query = "select count(*) from interlock.batches where status = 'available'
                 or (status in ('claimed', 'in_progress') and lease_expires_at <= now())";
    let others: i64 = site.connect().await?.query_one(query, &[]).await?.get(0);
    anyhow::ensure!(
        others == 0,
        "this needs a database without claimable batches of others"
    );
    Ok(())
}

/// Leaves no claimable batch behind.
pub(crate) async fn withdraw_batches(site: &Site) -> Result<()> {
    site.connect()
        .await?
        .batch_execute(
            "update interlock.batches set status = 'cancelled'
             where status in ('available', 'claimed', 'in_progress') and reference like 'test:%'",
        )
        .await?;
    Ok(())
}

/// Batches to claim.
pub(crate) async fn offer_batches(site: &Site, batches: i32) -> Result<()> {
    site.connect()
        .await?
        .execute(
            "insert into interlock.batches (reference) select 'test:fault' from generate_series(1, $1)",
            &[&batches],
        )
        .await?;
    Ok(())
}

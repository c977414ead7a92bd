//! A shop to work on: its rows, and its state in the model. It is small: few units, few uses, so that callers
//! get in each other's way.

use super::Known;
use crate::areas::promo::model::{Off, Promo, Uses};
use crate::areas::shop::model::inventory::{Held, ONLINE};
use crate::areas::shop::model::points::Points;
use crate::areas::shop::model::tills::{OPENING, Register, Shift, Tills};
use crate::areas::shop::model::{Product, Shop, Terms};
use crate::areas::shop::stripe::take_cards;
use crate::prove::histories::{World, new_users};
use crate::prove::model::Clock;
use crate::prove::model::keys::Keys;
use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::Client;
use uuid::Uuid;

/// Slots are filled if there are so many units for each.
const UNITS_PER_SLOT: i64 = 16;

/// A shop with two physical products and a digital one, four customers and five promo codes; most have
/// some of the stock and of the uses in slots.
pub(super) async fn open(db: &Client, rng: &mut StdRng, clock: Clock) -> Result<World<Shop>> {
    let mut names = BTreeMap::new();
    let mut named = |name: &str| {
        let id = Uuid::new_v4();
        names.insert(id, name.to_owned());
        id
    };
    let (oil, bread, card) = (named("<oil>"), named("<bread>"), named("<gift card>"));
    let buyers: Vec<Uuid> = ["<Ada>", "<Ben>", "<Cleo>", "<Dan>"]
        .map(&mut named)
        .to_vec();
    let slotted = rng.random_ratio(2, 3);
    let slots: BTreeMap<Uuid, i64> = match slotted {
        true => [
            (oil, rng.random_range(2..5)),
            (bread, rng.random_range(0..3)),
        ]
        .into(),
        false => BTreeMap::new(),
    };
    // With slots on both sides of what opens them.
    let mut units = |few: std::ops::Range<i64>, product: Uuid| match slots.get(&product) {
        Some(slots @ 1..) => slots * UNITS_PER_SLOT + rng.random_range(-6..12),
        _ => rng.random_range(few),
    };
    let units = [units(1..8, oil), units(0..6, bread), units(1..6, card)];
    let product = |id: Uuid, price, digital, per_point| {
        let name = format!("test:{id}");
        (
            id,
            Product {
                name,
                price,
                digital,
                per_point,
            },
        )
    };
    let products = BTreeMap::from([
        product(oil, 700, false, 100),
        product(bread, 455, false, 30),
        product(card, 1000, true, 100),
    ]);
    let promos = new_promos(&mut named, &buyers, bread, clock, slotted);
    let mut slots = slots;
    if slotted {
        // One that is used up now and then, one that never is, and one whose slots never open.
        slots.extend([(promos[0].id, 2), (promos[2].id, 3), (promos[1].id, 2)]);
    }
    let wallets: BTreeMap<Uuid, i64> = buyers[1..]
        .iter()
        .map(|buyer| (*buyer, rng.random_range(1..30) * 100))
        .collect();

    db.batch_execute(&take_cards()).await?;
    new_users(db, &buyers).await?;
    for (id, product) in &products {
        let kind = if product.digital {
            "digital"
        } else {
            "physical"
        };
        db.execute(
            "with rule as (
               insert into interlock.points_rules (currency, loyalty_class, per_amount, points)
               values ('USD', 'test-' || $5::bigint, $5::bigint, 1) on conflict do nothing
             )
             insert into interlock.products (id, name, price, currency, kind, loyalty_class)
             values ($1, $2::text, $3::bigint, 'USD', $4::text, 'test-' || $5::bigint)",
            &[id, &product.name, &product.price, &kind, &product.per_point],
        )
        .await?;
    }
    for (id, units) in [(oil, units[0]), (bread, units[1])] {
        db.execute(
            "update interlock.products set available_quantity = $2::bigint where id = $1",
            &[&id, &units],
        )
        .await?;
    }
    let stores = fill_store(
        db,
        rng,
        &mut named,
        [(oil, "<oil in the store>"), (bread, "<bread in the store>")],
    )
    .await?;
    let mut tills = open_tills(db, &mut named, &stores).await?;
    tills.customers = [
        (named("<Eve at the till>"), rng.random_range(0..60)),
        (named("<Flo at the till>"), 0),
    ]
    .map(|(id, balance)| (id, Points { balance, owed: 0 }))
    .into();
    let point_value = insert_customers(db, &tills.customers).await?;
    db.execute(
        "insert into interlock.product_codes (product_id, code)
         select $1, 'test:' || gen_random_uuid() from generate_series(1, $2::bigint)",
        &[&card, &units[2]],
    )
    .await?;
    for (user, balance) in &wallets {
        db.execute(
            "insert into interlock.wallets (user_id, balance, currency) values ($1, $2, 'USD')",
            &[user, balance],
        )
        .await?;
    }
    for promo in &promos {
        insert_promo(db, promo).await?;
    }
    for (owner, slots) in &slots {
        let what = match products.contains_key(owner) {
            true => "stock",
            false => "promo",
        };
        db.execute(
            &format!("select public.set_{what}_slots($1, $2::bigint::int)"),
            &[owner, slots],
        )
        .await?;
    }

    let stock = [oil, bread, card].into_iter().zip(units).collect();
    let guessing = rng.random_ratio(1, 6);
    let start = Shop {
        terms: Arc::new(Terms {
            products,
            promos,
            buyers,
            slots: slotted,
            point_value,
        }),
        clock,
        stock,
        stores,
        transfers: BTreeMap::new(),
        tills,
        slots,
        wallets,
        top_ups: BTreeMap::new(),
        orders: BTreeMap::new(),
        news: BTreeMap::new(),
        uses: Uses::default(),
        seen_codes: BTreeMap::new(),
        replaced: BTreeMap::new(),
        guesses: BTreeMap::new(),
        keys: Keys::default(),
    };
    let known = Known {
        guessing,
        shifts: start.tills.shifts.keys().copied().collect(),
        ..Known::default()
    };
    Ok(World::new(start, names, known))
}

/// Customers with their points; what a point pays.
async fn insert_customers(db: &Client, customers: &BTreeMap<Uuid, Points>) -> Result<i64> {
    for (id, points) in customers {
        db.execute(
            "insert into interlock.customers (id, name) values ($1, 'test')",
            &[id],
        )
        .await?;
        db.execute(
            "with account as (
               insert into interlock.points_accounts (customer_id, balance) values ($1, $2::bigint)
             )
             insert into interlock.points_movements (customer_id, kind, points, balance_after)
             values ($1, 'adjusted', $2::bigint, $2::bigint)",
            &[id, &points.balance],
        )
        .await?;
    }
    db.execute(
        "insert into interlock.points_values (currency, value) values ('USD', 10) on conflict do nothing",
        &[],
    )
    .await?;
    // Whoever connects here reads all rows, those of other shops, too.
    let value = "select v.value::bigint from interlock.points_values v
        where v.currency = 'USD' and coalesce((to_jsonb(v) ->> 'shop_id')::int, 1) = interlock.shop_id()";
    Ok(db.query_one(value, &[]).await?.get(0))
}

/// A store with a little of both, half ones too.
async fn fill_store(
    db: &Client,
    rng: &mut StdRng,
    new_id: &mut impl FnMut(&str) -> Uuid,
    products: [(Uuid, &str); 2],
) -> Result<BTreeMap<Uuid, Held>> {
    let location = new_id("<store>");
    db.execute(
        "insert into interlock.locations (id, name) values ($1, 'test')",
        &[&location],
    )
    .await?;
    let mut stores = BTreeMap::new();
    for (product, name) in products {
        let held = Held {
            product,
            location,
            quantity: rng.random_range(2..12) * 500,
            version: 1,
        };
        let id = new_id(name);
        db.execute(
            "update interlock.products set decimals = 1 where id = $1",
            &[&product],
        )
        .await?;
        db.execute(
            "insert into interlock.inventory (id, product_id, location_id, quantity)
             values ($1, $2, $3, $4::bigint::numeric / 1000)",
            &[&id, &product, &location, &held.quantity],
        )
        .await?;
        stores.insert(id, held);
    }
    Ok(stores)
}

/// A till in the store and one that sells from the stock of the web shop, each with an open shift.
async fn open_tills(
    db: &Client,
    new_id: &mut impl FnMut(&str) -> Uuid,
    stores: &BTreeMap<Uuid, Held>,
) -> Result<Tills> {
    let store = stores.values().next().map_or(ONLINE, |held| held.location);
    let mut tills = Tills::default();
    for (location, name) in [(store, "store"), (ONLINE, "web shop")] {
        let register = new_id(&format!("<till of the {name}>"));
        let shift = new_id(&format!("<first shift of the {name}>"));
        db.execute(
            "insert into interlock.registers (id, location_id, name, currency) values ($1, $2, 'test', 'USD')",
            &[&register, &location],
        )
        .await?;
        db.execute(
            "insert into interlock.shifts (id, register_id, opening_cash) values ($1, $2, $3::bigint)",
            &[&shift, &register, &OPENING],
        )
        .await?;
        tills.shifts.insert(
            shift,
            Shift {
                register,
                counted: None,
            },
        );
        tills.registers.insert(
            register,
            Register {
                location,
                receipts: 0,
                shift: Some(shift),
            },
        );
    }
    Ok(tills)
}

fn new_promos(
    new_id: &mut impl FnMut(&str) -> Uuid,
    buyers: &[Uuid],
    bread: Uuid,
    clock: Clock,
    slotted: bool,
) -> Vec<Promo> {
    let mut promo = |name: &str, off| {
        let id = new_id(name);
        Promo {
            id,
            code: format!("T{}", id.simple()).to_uppercase(),
            off,
            max_uses: None,
            max_uses_per_user: None,
            holds_per_user: 1,
            min_subtotal: None,
            first_order_only: false,
            only_for: None,
            only_on: None,
            expires: None,
        }
    };
    vec![
        Promo {
            max_uses: Some(if slotted { 2 * UNITS_PER_SLOT + 3 } else { 2 }),
            ..promo("<10 %, few uses>", Off::Percent(10))
        },
        Promo {
            max_uses: Some(3),
            max_uses_per_user: Some(1),
            min_subtotal: Some(1000),
            ..promo("<300 off, one each>", Off::Fixed(300))
        },
        Promo {
            first_order_only: true,
            ..promo("<half off the first order>", Off::Percent(50))
        },
        Promo {
            max_uses: Some(2),
            only_for: Some(buyers[1]),
            ..promo("<all off for Ben>", Off::Fixed(1_000_000))
        },
        Promo {
            max_uses_per_user: Some(2),
            holds_per_user: 2,
            only_on: Some(bread),
            expires: clock.exact.then_some(clock.now + 20 * 60),
            ..promo("<33 % off bread>", Off::Percent(33))
        },
    ]
}

async fn insert_promo(db: &Client, promo: &Promo) -> Result<()> {
    let value = match promo.off {
        Off::Percent(value) | Off::Fixed(value) => value,
    };
    let currency = (promo.off.name() == "fixed").then_some("USD");
    db.execute(
        "insert into interlock.promo_codes (id, code, discount_type, discount_value, currency, max_uses,
           max_uses_per_user, min_subtotal, first_order_only, user_id, expires_at,
           holds_per_user)
         values ($1, $2::text, $3::text, $4::bigint, $5::text, $6::bigint, $7::bigint, $8::bigint, $9, $10,
           timestamptz '2001-01-01 00:00:00+00' + $11::bigint * interval '1 second',
           $12::bigint)",
        &[
            &promo.id,
            &promo.code,
            &promo.off.name(),
            &value,
            &currency,
            &promo.max_uses,
            &promo.max_uses_per_user,
            &promo.min_subtotal,
            &promo.first_order_only,
            &promo.only_for,
            &promo.expires,
            &promo.holds_per_user,
        ],
    )
    .await?;
    if let Some(product) = promo.only_on {
        db.execute(
            "insert into interlock.promo_code_products (promo_id, product_id) values ($1, $2)",
            &[&promo.id, &product],
        )
        .await?;
    }
    Ok(())
}

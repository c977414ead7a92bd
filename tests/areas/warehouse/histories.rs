//! Packing tables to work on, and what callers do there: few units for few orders, so that they get in each other's way.

use super::model::{Action, Basket, Call, Fate, OrderBox, Table};
use crate::harness::stack::user_claims;
use crate::prove::histories::{
    AnyWorld, Kind, Played, Request, World, array, new_users, pick, present,
};
use crate::prove::model::keys::Keys;
use crate::prove::model::{Clock, Moment};
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio_postgres::Client;
use uuid::Uuid;

/// For the rounds.
pub(crate) const TABLE: Kind = Kind {
    weight: 1,
    counts: &[1, 2],
    others: "select false",
    open: |db, rng, clock| {
        async move { Ok(Box::new(open(db, rng, clock).await?) as Box<dyn AnyWorld>) }.boxed()
    },
    close: &["update interlock.orders set status = 'cancelled'
              where id = any ($1) and status = 'confirmed' and fulfillment not in ('shipped', 'delivered')"],
};

/// What callers choose from.
#[derive(Default)]
pub(crate) struct Known {
    /// Calls that were made under a key.
    keyed: Vec<Call>,
    /// What was last heard to be packed of an order.
    packed: BTreeMap<Uuid, i64>,
}

impl Played for Table {
    type Known = Known;

    fn choose(rng: &mut StdRng, world: &World<Self>, _: bool) -> Call {
        choose(rng, world)
    }

    fn request(&self, call: &Call) -> Request {
        request(call, self)
    }

    fn learns(world: &World<Self>, call: &Call, body: &Value) {
        if let Call::Scan { order, .. } | Call::Set { order, .. } = call
            && let Some(packed) = body["quantity_packed"].as_i64()
        {
            let mut known = world.known.lock().expect("no caller panics");
            known.packed.insert(*order, packed);
        }
    }

    fn look() -> Call {
        Call::Look
    }

    fn clock_moves(to: Moment) -> Call {
        Call::ClockMoves { to }
    }

    fn users(&self) -> Vec<Uuid> {
        self.pickers.to_vec()
    }

    fn claims(user: Uuid) -> Value {
        let mut claims = user_claims(user);
        claims["app_metadata"] = json!({ "role": "packer" });
        claims
    }
}

/// What a statement answers as somebody, or as the shop.
async fn asked(db: &Client, who: Option<Uuid>, call: &str) -> Result<Value> {
    let (role, claims) = match who {
        Some(user) => (
            "authenticated",
            json!({ "sub": user, "role": "authenticated" }),
        ),
        None => ("service_role", json!({ "role": "service_role" })),
    };
    let become_them = format!(
        "begin; select set_config('role', '{role}', true), set_config('request.jwt.claims', '{claims}', true)"
    );
    db.batch_execute(&become_them).await?;
    let answer = db.query_one(&format!("select {call}::jsonb"), &[]).await;
    let end = if answer.is_ok() { "commit" } else { "rollback" };
    db.batch_execute(end).await?;
    Ok(answer?.get(0))
}

fn id_of(answer: &Value, what: &str) -> Result<Uuid> {
    let id = answer[what]["id"].as_str().and_then(|id| id.parse().ok());
    id.with_context(|| format!("no {what} in {answer}"))
}

/// A session with two products and three orders of each, that is being packed; nothing is picked.
async fn open(db: &Client, rng: &mut StdRng, clock: Clock) -> Result<World<Table>> {
    let mut names = BTreeMap::new();
    let mut baskets = BTreeMap::new();
    let mut boxes = BTreeMap::new();
    for what in ["tea", "cups"] {
        let product = Uuid::new_v4();
        names.insert(product, format!("<{what}>"));
        db.execute(
            "insert into interlock.products (id, name, price, currency, available_quantity)
             values ($1, 'test', 100, 'USD', 100)",
            &[&product],
        )
        .await?;
        let mut needed = 0;
        for number in 1..=3 {
            let (buyer, units) = (Uuid::new_v4(), rng.random_range(1..5));
            new_users(db, &[buyer]).await?;
            let cart = json!([{ "product_id": product, "quantity": units }]);
            let buy = format!("public.checkout('{cart}', p_payment_method => 'cash_on_delivery')");
            let order = id_of(&asked(db, Some(buyer), &buy).await?, "order")?;
            names.insert(order, format!("<order {number} of {what}>"));
            needed += units;
            boxes.insert(
                order,
                OrderBox {
                    product,
                    line: Uuid::nil(),
                    needed: units,
                    packed: 0,
                    short: 0,
                    version: 1,
                    fate: Fate::Open,
                },
            );
        }
        let basket = Basket {
            needed,
            picked: 0,
            packed: 0,
            picker: None,
            version: 1,
        };
        baskets.insert(product, basket);
    }
    let create = format!("public.create_picking_session({})", array(boxes.keys()));
    let session = id_of(&asked(db, None, &create).await?, "session")?;
    names.insert(session, "<session>".to_owned());
    asked(db, None, &format!("public.start_packing('{session}')")).await?;
    let lines = "select order_id, id, version::bigint from interlock.packing_progress where picking_session_id = $1";
    for row in db.query(lines, &[&session]).await? {
        if let Some(its) = boxes.get_mut(&row.get::<_, Uuid>(0)) {
            (its.line, its.version) = (row.get(1), row.get(2));
        }
    }
    let items = "select product_id, version::bigint from interlock.picking_session_items where picking_session_id = $1";
    for row in db.query(items, &[&session]).await? {
        if let Some(basket) = baskets.get_mut(&row.get::<_, Uuid>(0)) {
            basket.version = row.get(1);
        }
    }
    let pickers = [Uuid::new_v4(), Uuid::new_v4()];
    new_users(db, &pickers).await?;
    names.insert(pickers[0], "<a picker>".to_owned());
    names.insert(pickers[1], "<another picker>".to_owned());
    let start = Table {
        session,
        clock,
        pickers,
        baskets,
        boxes,
        keys: Keys::default(),
    };
    Ok(World::new(start, names, Known::default()))
}

/// The next call at a table.
fn choose(rng: &mut StdRng, world: &World<Table>) -> Call {
    let mut known = world.known.lock().expect("no caller panics");
    if !known.keyed.is_empty() && rng.random_ratio(1, 8) {
        let late = known.keyed.len().saturating_sub(12);
        let mut again = known.keyed[rng.random_range(late..known.keyed.len())].clone();
        if let Call::Scan { quantity, .. } = &mut again
            && rng.random_ratio(1, 5)
        {
            *quantity = 3;
        }
        return again;
    }
    let orders: Vec<Uuid> = world.start.boxes.keys().copied().collect();
    let products: Vec<Uuid> = world.start.baskets.keys().copied().collect();
    let key = rng.random_ratio(1, 3).then(|| Uuid::new_v4().to_string());
    let order = pick(rng, &orders);
    let quantity = if rng.random_ratio(1, 6) { 2 } else { 1 };
    let by = pick(rng, &world.start.pickers);
    let named = rng.random_bool(0.6).then(|| pick(rng, &products));
    let call = match rng.random_range(0..1000) {
        0..200 => Call::Pick {
            by: rng.random_bool(0.6).then_some(by),
            product: pick(rng, &products),
            quantity: if rng.random_ratio(1, 4) {
                -quantity
            } else {
                quantity
            },
            key,
        },
        200..240 => Call::Claim { by, product: named },
        240..280 => Call::Release { by, product: named },
        280..380 => {
            let heard = known.packed.get(&order).copied();
            Call::Set {
                order,
                expected: heard.unwrap_or_else(|| rng.random_range(0..3)),
                new: rng.random_range(0..5),
            }
        }
        380..780 => Call::Scan {
            order,
            action: match rng.random_range(0..12) {
                0..3 => Action::Unpack,
                3 => Action::Short,
                _ => Action::Pack,
            },
            quantity,
            key,
        },
        780..880 => Call::Complete { order },
        880..887 => Call::Remove { order },
        887..894 => Call::Cancel { order },
        894..897 => Call::Abandon,
        _ => Call::Look,
    };
    if call.is_keyed() {
        known.keyed.push(call.clone());
    }
    call
}

/// Sends a call of a table.
fn request(call: &Call, world: &Table) -> Request {
    let session = world.session;
    let call_by = |caller, function, rpc, arguments, key| Request::Call {
        function,
        rpc,
        caller,
        arguments,
        key,
        rows: false,
    };
    let of_shop = |function, rpc, arguments, key| call_by(None, function, rpc, arguments, key);
    let of_picker = |by, rpc, product: Option<Uuid>| {
        let products = product.map(|product| format!("{{{product}}}"));
        let arguments = present(json!({ "session_id": session, "product_ids": products }));
        call_by(Some(by), None, rpc, arguments, None)
    };
    match call {
        Call::Scan {
            order,
            action,
            quantity,
            key,
        } => of_shop(
            Some("pack"),
            "pack_item",
            json!({
                "session_id": session, "order_id": order, "product_id": world.boxes[order].product,
                "quantity": quantity, "action": action.name(),
            }),
            key.clone(),
        ),
        Call::Set {
            order,
            expected,
            new,
        } => of_shop(
            None,
            "set_packed_quantity",
            json!({ "progress_id": world.boxes[order].line, "expected": expected, "new": new }),
            None,
        ),
        Call::Claim { by, product } => of_picker(*by, "claim_picking", *product),
        Call::Release { by, product } => of_picker(*by, "release_picking", *product),
        Call::Pick {
            by,
            product,
            quantity,
            key,
        } => call_by(
            *by,
            None,
            "pick_item",
            present(json!({ "session_id": session, "product_id": product, "quantity": quantity })),
            key.clone(),
        ),
        Call::Complete { order } => of_shop(
            Some("pack"),
            "pack_item",
            json!({ "session_id": session, "order_id": order, "action": "complete" }),
            None,
        ),
        Call::Remove { order } => of_shop(
            None,
            "remove_order_from_session",
            json!({ "session_id": session, "order_id": order }),
            None,
        ),
        Call::Cancel { order } => {
            of_shop(None, "cancel_order", json!({ "order_id": order }), None)
        }
        Call::Abandon => of_shop(
            None,
            "abandon_picking_session",
            json!({ "session_id": session }),
            None,
        ),
        Call::Look | Call::ClockMoves { .. } => Request::Own(format!(
            "select json_build_object(
               'session', (select json_build_array(s.status, s.open_orders, s.completed_orders)
                 from interlock.picking_sessions s where s.id = '{session}'),
               'baskets', (select json_object_agg(i.product_id, json_build_array(
                   i.quantity_needed, i.quantity_picked, i.quantity_packed, i.version, coalesce(b.quantity, 0), i.picker_id))
                 from interlock.picking_session_items i
                 left join interlock.put_backs b
                   on b.picking_session_id = i.picking_session_id and b.product_id = i.product_id
                 where i.picking_session_id = '{session}'),
               'boxes', (select json_object_agg(b.order_id, json_build_array(
                   b.status, p.quantity_packed, p.quantity_short, p.version))
                 from interlock.picking_session_orders b
                 join interlock.packing_progress p
                   on p.picking_session_id = b.picking_session_id and p.order_id = b.order_id
                 where b.picking_session_id = '{session}'))"
        )),
    }
}

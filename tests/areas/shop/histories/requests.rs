//! The calls of a shop, as they are sent.

use crate::areas::shop::model::calls::{Call, News, Tidings};
use crate::areas::shop::model::inventory::{Action, Expected, Line, number};
use crate::areas::shop::model::parked::lines_in_json;
use crate::areas::shop::model::tills::OPENING;
use crate::areas::shop::model::transfers::Fate;
use crate::areas::shop::model::{self as shop};
use crate::areas::shop::stripe::SECRET;
use crate::prove::histories::{Reader, Request, array, present};
use serde_json::{Value, json};
use uuid::Uuid;

/// Rows that this transaction has written last, perhaps in a sub-transaction: what others have not committed is not
/// seen.
fn is_mine(row: &str) -> String {
    format!("pg_xact_status({row}.xmin::text::xid8) = 'in progress'")
}

/// Sends a call of a shop with these products, customers and promo codes.
pub(super) fn of_shop(call: &Call, world: &shop::Shop) -> Request {
    match call {
        Call::Checkout {
            buyer,
            items,
            code,
            cart,
            payment,
            expected,
            key,
        } => Request::Call {
            function: Some("checkout"),
            rpc: "checkout",
            caller: Some(*buyer),
            arguments: present(json!({
                "cart_items": cart_items(items), "promo_code": code, "cart_id": cart,
                "payment_method": payment.name(), "expected_total": expected,
            })),
            key: key.clone(),
            rows: false,
        },
        Call::ApplyCode {
            buyer,
            code,
            items,
            cart,
            dry_run,
        } => Request::Call {
            function: Some("promo-validate"),
            rpc: "validate_promo",
            caller: Some(*buyer),
            arguments: present(json!({
                "code": code, "cart_items": cart_items(items), "cart_id": cart, "dry_run": dry_run,
            })),
            key: None,
            rows: false,
        },
        Call::ReleaseCode { buyer, code, cart } => Request::Call {
            function: Some("promo-validate"),
            rpc: "validate_promo",
            caller: Some(*buyer),
            arguments: present(json!({ "code": code, "cart_id": cart, "action": "release" })),
            key: None,
            rows: false,
        },
        Call::Cancel { caller, order, key } => Request::Call {
            function: None,
            rpc: "cancel_order",
            caller: *caller,
            arguments: json!({ "order_id": order }),
            key: key.clone(),
            rows: false,
        },
        Call::SubmitProof { buyer, order, file } => Request::Call {
            function: None,
            rpc: "submit_payment_proof",
            caller: Some(*buyer),
            arguments: json!({
                "order_id": order, "object_path": format!("{buyer}/{order}/{file}"),
            }),
            key: None,
            rows: false,
        },
        Call::Decide { order, decision } => {
            shops(decision.rule().0, json!({ "order_id": order }))
        }
        Call::Reopen { order, is_paid } => shops(
            "reopen_order",
            json!({ "order_id": order, "paid": is_paid }),
        ),
        Call::BeginPayment { buyer, order } => Request::Call {
            function: None,
            rpc: "begin_card_payment",
            caller: Some(*buyer),
            arguments: json!({ "order_id": order }),
            key: None,
            rows: false,
        },
        Call::Tell(tidings) => Request::Own(event(tidings)),
        Call::ExpireOrders => Request::Own(format!(
            "do $$ begin while interlock.expire_orders(1000) > 0 loop end loop; end $$;
             select coalesce(json_agg(o.id), '[]') from interlock.orders o
             where o.user_id = any ({}) and o.status = 'expired' and {}",
            array(world.terms.buyers.iter()),
            is_mine("o")
        )),
        Call::ExpireHolds => Request::Own(format!(
            "do $$ begin while interlock.expire_promo_holds() > 0 loop end loop; end $$;
             select coalesce(json_agg(format('held %s %s %s', r.promo_id, r.user_id,
               coalesce(r.cart_id::text, 'nobody'))), '[]')
             from interlock.promo_redemptions r
             where r.promo_id = any ({}) and r.status = 'expired' and {}",
            array(world.terms.promos.iter().map(|promo| &promo.id)),
            is_mine("r")
        )),
        Call::TopUp {
            user,
            amount,
            reference,
        } => shops(
            "top_up_wallet",
            present(json!({
                "user_id": user, "amount": amount, "currency": "USD", "reference": reference,
            })),
        ),
        Call::TakeUnits {
            product,
            quantity,
            reference,
        } => shops(
            "decrement_product_quantity",
            present(json!({
                "product_id": product, "quantity": quantity, "reference": reference,
            })),
        ),
        Call::Adjust {
            product,
            delta,
            reference,
        } => shops(
            "adjust_stock",
            present(json!({ "product_id": product, "delta": delta, "reference": reference })),
        ),
        Call::CountStock {
            product,
            counted,
            expected,
            reference,
        } => shops(
            "count_stock",
            present(json!({
                "product_id": product, "counted": counted, "expected": expected,
                "reference": reference,
            })),
        ),
        Call::TakeCodes {
            product,
            quantity,
            order,
            reference,
        } => Request::Call {
            function: None,
            rpc: "claim_product_codes_atomic",
            caller: None,
            arguments: present(json!({
                "product_id": product, "quantity": quantity, "order_id": order,
                "reference": reference,
            })),
            key: None,
            rows: true,
        },
        Call::ReplaceCode { product, order } => Request::Own(format!(
            "select set_config('test.replaced', public.replace_product_code((
               select min(c.id) from interlock.product_codes c
               where c.product_id = '{product}' and c.order_id = '{order}' and c.used_at is not null
                 and c.replaced_by is null
             ), 'test')::text, true);
             select json_build_object('old', o.code, 'new', n.code)
             from interlock.product_codes o join interlock.product_codes n on n.id = o.replaced_by
             where o.id = (current_setting('test.replaced')::jsonb ->> 'code_id')::bigint"
        )),
        Call::CountUse { promo, reference } => shops(
            "increment_promo_usage",
            present(json!({ "promo_id": promo, "reference": reference })),
        ),
        Call::Restock { product, quantity } if world.terms.products[product].digital => {
            Request::Own(format!(
                "with added as (insert into interlock.product_codes (product_id, code)
                   select '{product}', 'test:' || gen_random_uuid() from generate_series(1, {quantity})
                   returning 1)
                 select to_json(count(*)) from added"
            ))
        }
        Call::Restock { product, quantity } => Request::Own(format!(
            "update interlock.products set available_quantity = available_quantity + {quantity}
             where id = '{product}' returning to_json(true)"
        )),
        Call::WriteOff { product, quantity } => Request::Own(format!(
            "update interlock.products set available_quantity = available_quantity - {quantity}
             where id = '{product}' returning to_json(true)"
        )),
        Call::Manage { action, lines, key } => {
            let (name, amount) = action.names();
            let began_at = (*action == Action::Count).then_some("2000-01-01T00:00:00Z");
            let lines: Vec<Value> = lines.iter().map(|line| named_line(line, amount)).collect();
            inventory(
                json!({ "action": name, "lines": lines, "began_at": began_at }),
                key.clone(),
            )
        }
        Call::Transfer {
            from,
            to,
            goods,
            in_transit,
            key,
        } => {
            let lines = goods.iter().map(|(product, quantity)| {
                json!({
                    "product_id": product, "from_location_id": from, "to_location_id": to,
                    "quantity": number(*quantity),
                })
            });
            let lines: Vec<Value> = lines.collect();
            let in_transit = in_transit.then_some(true);
            inventory(
                json!({ "action": "transfer", "lines": lines, "in_transit": in_transit }),
                key.clone(),
            )
        }
        Call::Book {
            transfer,
            fate,
            goods,
            key,
        } => {
            let lines = goods.iter().map(|(product, quantity)| {
                json!({ "product_id": product, "quantity": number(*quantity) })
            });
            let lines: Vec<Value> = lines.collect();
            let lines = (*fate != Fate::Cancel).then_some(lines);
            inventory(
                json!({ "action": fate.name(), "lines": lines, "transfer_id": transfer }),
                key.clone(),
            )
        }
        Call::SellAtTill {
            stock,
            quantity,
            reference,
        } => shops(
            "decrement_inventory",
            present(json!({ "inventory_id": stock, "quantity": number(*quantity), "reference": reference })),
        ),
        Call::LookAtInventory { stocks } => {
            let lines: Vec<Value> = stocks.iter().map(|id| json!({ "inventory_id": id })).collect();
            Request::Call {
                function: Some("inventory"),
                rpc: "manage_inventory",
                caller: None,
                arguments: json!({ "action": "get", "lines": lines }),
                key: None,
                rows: false,
            }
        }
        Call::Sell(asked) => {
            let lines = asked.lines.iter();
            let lines = lines.map(|(stock, quantity)| {
                let mut line = json!({ "inventory_id": stock, "quantity": number(*quantity) });
                if asked.cut_off.is_some() {
                    let product = world.product_of(*stock);
                    line["unit_price"] = json!(world.terms.products[&product].price);
                }
                line
            });
            let lines: Vec<Value> = lines.collect();
            let returns = asked.returns.iter().map(|back| {
                json!({
                    "sale_id": back.sale, "line": back.line, "quantity": number(back.quantity),
                    "restock": back.restock, "reason": "test",
                })
            });
            let returns: Vec<Value> = returns.collect();
            let some = |list: Vec<Value>| (!list.is_empty()).then_some(list);
            let tenders = asked.tenders.iter();
            let tenders =
                tenders.map(|(kind, amount)| json!({ "type": kind.name(), "amount": amount }));
            Request::Call {
                function: Some("pos-sale"),
                rpc: "pos_sale",
                caller: None,
                arguments: present(json!({
                    "register_id": asked.register, "lines": some(lines), "returns": some(returns),
                    "tenders": some(tenders.collect()),
                    "customer": asked.customer.map(|id| json!({ "id": id })),
                    "parked_sale_id": asked.parked, "shift_id": asked.cut_off,
                    // The clock only goes on.
                    "client_time": asked.cut_off.map(|_| world.clock.time(world.clock.now)),
                })),
                key: asked.key.clone(),
                rows: false,
            }
        }
        Call::Park(asked) => shops(
            "park_sale",
            present(json!({
                "register_id": asked.register, "name": "test", "lines": lines_in_json(&asked.lines),
                "hold": asked.hold, "parked_sale_id": asked.again, "reference": asked.reference,
            })),
        ),
        Call::Resume { parked, register } => shops(
            "resume_parked_sale",
            json!({ "parked_sale_id": parked, "register_id": register }),
        ),
        Call::Discard { parked } => {
            shops("discard_parked_sale", json!({ "parked_sale_id": parked }))
        }
        Call::VoidSale { sale } => {
            shops("void_sale", json!({ "sale_id": sale, "reason": "test" }))
        }
        Call::OpenShift { register } => shops(
            "open_shift",
            json!({ "register_id": register, "opening_cash": OPENING }),
        ),
        Call::CloseShift { shift, counted } => shops(
            "close_shift",
            json!({ "shift_id": shift, "counted_cash": counted }),
        ),
        Call::SetStockSlots { product, slots } => shops(
            "set_stock_slots",
            json!({ "product_id": product, "slots": slots }),
        ),
        Call::SetPromoSlots { promo, slots } => shops(
            "set_promo_slots",
            json!({ "promo_id": promo, "slots": slots }),
        ),
        Call::Settle => {
            Request::Own("select to_json(interlock.settle_slots() >= 0)".to_owned())
        }
        Call::Look | Call::ClockMoves { .. } => Request::Own(books(world)),
        Call::LookAtShelf => shelf(world),
        Call::LookAtStock { reader } => stock(*reader, world),
    }
}

/// An event, signed at the time of the database.
fn event(tidings: &Tidings) -> String {
    let (kind, received) = match tidings.news {
        News::Money => ("succeeded", tidings.total),
        News::TooMuchMoney => ("succeeded", tidings.total + 1),
        News::Processing => ("processing", 0),
        News::Failed => ("payment_failed", 0),
        News::Canceled => ("canceled", 0),
    };
    let event = json!({
        "id": tidings.event_id(), "type": format!("payment_intent.{kind}"), "created": 0,
        "data": { "object": {
            "id": tidings.intent(), "amount": tidings.total, "amount_received": received, "currency": "usd",
            "metadata": present(json!({ "order_id": tidings.order, "payment_id": tidings.attempt })),
        } },
    });
    let secret = if tidings.forged { "somebody" } else { SECRET };
    format!(
        "select public.payment_webhook('stripe', e.body, format('t=%s,v1=%s', e.t, encode(
           interlock.hmac_sha256('{secret}'::bytea, convert_to(e.t || '.' || e.body, 'UTF8')), 'hex')))::text
         from (
           select n.t::text, jsonb_set('{event}', '{{created}}', to_jsonb(n.t - {age}))::text as body
           from (select extract(epoch from interlock.clock())::bigint as t) n
         ) e",
        age = tidings.age
    )
}

fn inventory(arguments: Value, key: Option<String>) -> Request {
    Request::Call {
        function: Some("inventory"),
        rpc: "manage_inventory",
        caller: None,
        arguments: present(arguments),
        key,
        rows: false,
    }
}

fn named_line(line: &Line, amount: &str) -> Value {
    let mut told = json!({ "inventory_id": line.stock, amount: number(line.amount) });
    match line.expected {
        Some(Expected::Version(version)) => told["expected_version"] = json!(version),
        Some(Expected::Quantity(quantity)) => told["expected_quantity"] = number(quantity),
        None => {}
    }
    told
}

fn shops(rpc: &'static str, arguments: Value) -> Request {
    Request::Call {
        function: None,
        rpc,
        caller: None,
        arguments,
        key: None,
        rows: false,
    }
}

/// Products as everybody sees them.
fn shelf(world: &shop::Shop) -> Request {
    let ids: Vec<String> = world.stock.keys().map(Uuid::to_string).collect();
    Request::Read {
        reader: Reader::Anyone,
        path: format!(
            "products?select=id,available_quantity&id=in.({})",
            ids.join(",")
        ),
        body: None,
        entry: |row| {
            let id = row["id"].as_str()?.to_owned();
            Some((id, row["available_quantity"].clone()))
        },
        sql: format!(
            "select json_object_agg(id, available_quantity) from public.products where id = any ({})",
            array(world.stock.keys())
        ),
    }
}

/// The stock of products from `get_stock`, with their numbers of slots.
fn stock(reader: Reader, world: &shop::Shop) -> Request {
    let products: Vec<&Uuid> = world.stock.keys().collect();
    Request::Read {
        reader,
        path: "rpc/get_stock".to_owned(),
        body: Some(json!({ "p_product_ids": products })),
        entry: |row| {
            let id = row["product_id"].as_str()?.to_owned();
            Some((id, json!([row["available_quantity"], row["stock_slots"]])))
        },
        sql: format!(
            "select json_object_agg(product_id, json_build_array(available_quantity, stock_slots))
             from public.get_stock({})",
            array(world.stock.keys())
        ),
    }
}

fn cart_items(items: &[(Uuid, i64)]) -> Value {
    items
        .iter()
        .map(|(product, quantity)| json!({ "product_id": product, "quantity": quantity }))
        .collect()
}

/// The shop's books in one statement, and so at one moment.
fn books(world: &shop::Shop) -> String {
    let products = array(world.terms.products.keys());
    let promos = array(world.terms.promos.iter().map(|promo| &promo.id));
    let buyers = array(world.terms.buyers.iter());
    let registers = array(world.tills.registers.keys());
    let customers = array(world.tills.customers.keys());
    format!(
        "with slots as (select owner_id, sum(used) as used from interlock.counter_slots group by owner_id)
         select json_build_object(
           'stock', (select coalesce(json_object_agg(p.id, p.available_quantity - coalesce(s.used, 0)), '{{}}')
             from interlock.products p left join slots s on s.owner_id = p.id where p.id = any ({products})),
           'stores', (select coalesce(json_object_agg(i.id, json_build_array(trim_scale(i.quantity), i.version)), '{{}}')
             from interlock.inventory i where i.product_id = any ({products})),
           'transit', (select coalesce(json_object_agg(t.product_id, json_build_array(t.in_transit, t.lost)), '{{}}')
             from (
               select l.product_id, trim_scale(sum(l.in_transit)) as in_transit, trim_scale(sum(l.lost)) as lost
               from interlock.stock_transfer_lines l where l.product_id = any ({products})
               group by l.product_id having sum(l.in_transit + l.lost) > 0
             ) t),
           'tills', json_build_object(
             'receipts', (select json_object_agg(r.id, r.last_receipt) from interlock.registers r where r.id = any ({registers})),
             'drawers', (select coalesce(json_object_agg(s.id, interlock.expected_cash(s.id)), '{{}}')
               from interlock.shifts s where s.register_id = any ({registers}) and s.closed_at is null),
             'sales', (select coalesce(json_object_agg(s.id, json_build_array(s.status, (
                 select coalesce(trim_scale(sum(l.returned_quantity)), 0) from interlock.sale_lines l where l.sale_id = s.id
               ))), '{{}}')
               from interlock.sales s where s.register_id = any ({registers})),
             'parked', (select coalesce(json_object_agg(p.id, json_build_array(p.status, (
                 select coalesce(trim_scale(sum(h)), 0) from unnest(p.held_quantities) h
               ))), '{{}}')
               from interlock.parked_sales p where p.register_id = any ({registers})),
             'points', (select json_object_agg(a.customer_id, json_build_array(a.balance, a.owed))
               from interlock.points_accounts a where a.customer_id = any ({customers}))
           ),
           'wallets', (select coalesce(json_object_agg(user_id, balance), '{{}}')
             from interlock.wallets where user_id = any ({buyers})),
           'uses', (select coalesce(json_object_agg(p.id, u.uses), '{{}}')
             from interlock.promo_codes p
             cross join lateral (
               select coalesce(json_agg(w.words order by w.words collate \"C\"), '[]') as uses
               from (
                 select format('%s %s %s %s', r.status, r.promo_id, coalesce(r.user_id::text, 'nobody'),
                   coalesce(r.cart_id::text, 'nobody')) as words
                 from interlock.promo_redemptions r
                 where r.promo_id = p.id and r.status in ('held', 'redeemed')
               ) w
             ) u
             where p.id = any ({promos})),
           'orders', (select coalesce(json_object_agg(id, status), '{{}}')
             from interlock.orders where user_id = any ({buyers})))"
    )
}

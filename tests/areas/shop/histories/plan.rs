//! What callers of a shop do: chosen at random from what they know.

use super::{Known, Sold};
use crate::areas::shop::model::Shop;
use crate::areas::shop::model::calls::{self as shop, Decision, News, Payment, Tidings};
use crate::areas::shop::model::inventory::{Action, Expected, Line, ONLINE};
use crate::areas::shop::model::parked::Park;
use crate::areas::shop::model::sales::{Asked, Return, Tender, share_of};
use crate::areas::shop::model::transfers::{Fate, Goods};
use crate::prove::histories::{Reader, World, pick};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use uuid::Uuid;

/// What every customer hands over.
const HANDED: i64 = 100_000;

/// The next call on a shop.
pub(super) fn choose(rng: &mut StdRng, world: &World<Shop>, everything: bool) -> shop::Call {
    let terms = &world.start.terms;
    let products: Vec<Uuid> = terms.products.keys().copied().collect();
    let mut known = world.known.lock().expect("no caller panics");
    let guessing = known.guessing;
    if !known.keyed.is_empty() && rng.random_ratio(1, 10) {
        let again = known.keyed.len().saturating_sub(12);
        let again = known.keyed[rng.random_range(again..known.keyed.len())].clone();
        return sometimes_changed(rng, again);
    }
    if terms.slots && rng.random_ratio(1, 8) {
        return with_slots(rng, world, &products);
    }
    if rng.random_ratio(1, 5) {
        let call = match rng.random_range(0..5) {
            0 => on_the_way(rng, world, &known),
            1..4 => at_till(rng, world, &known),
            _ => in_store(rng, world),
        };
        if call.is_keyed() {
            known.keyed.push(call.clone());
        }
        return call;
    }
    let buyer = pick(rng, &terms.buyers);
    let (order, owner) = match known.orders.len() {
        0 => (Uuid::nil(), buyer),
        // The latest ones are those of which something may still become.
        many => known.orders[many - 1 - rng.random_range(0..many.min(8))],
    };
    // The provider signs the time, and the database's is known only where it is held.
    if world.start.clock.exact && !known.payments.is_empty() && rng.random_ratio(1, 6) {
        let call = by_card(rng, &known);
        if matches!(call, shop::Call::Tell(_)) {
            known.keyed.push(call.clone());
        }
        return call;
    }
    let key = rng.random_ratio(1, 3).then(|| Uuid::new_v4().to_string());
    let product = pick(rng, &products);
    let quantity = rng.random_range(1..4);
    let call = match rng.random_range(0..100) {
        0..32 => {
            let items = items(rng, &products, terms.slots);
            let price =
                |(product, quantity): &(Uuid, i64)| quantity * terms.products[product].price;
            let subtotal: i64 = items.iter().map(price).sum();
            shop::Call::Checkout {
                buyer,
                items,
                code: rng.random_bool(0.45).then(|| code(rng, world, guessing)),
                cart: cart(rng, buyer),
                payment: *[
                    Payment::Wallet,
                    Payment::BankTransfer,
                    Payment::CashOnDelivery,
                    Payment::Card,
                ]
                .choose(rng)
                .expect("there are some"),
                // Right without a code, and wrong with most.
                expected: rng.random_ratio(1, 5).then_some(subtotal),
                key,
            }
        }
        32..45 => shop::Call::ApplyCode {
            buyer,
            code: code(rng, world, guessing),
            items: items(rng, &products, false),
            cart: cart(rng, buyer),
            dry_run: rng.random_ratio(1, 4),
        },
        45..48 => shop::Call::ReleaseCode {
            buyer,
            code: code(rng, world, guessing),
            cart: cart(rng, buyer),
        },
        48..58 => shop::Call::Cancel {
            caller: match rng.random_range(0..10) {
                0 => Some(buyer),
                1..6 => Some(owner),
                _ => None,
            },
            order,
            key,
        },
        58..61 => shop::Call::Reopen {
            order,
            is_paid: rng.random_bool(0.5),
        },
        61..70 => shop::Call::Decide {
            order,
            decision: *[
                Decision::Accept,
                Decision::Reject,
                Decision::Fulfil,
                Decision::Refund,
            ]
            .choose(rng)
            .expect("there are some"),
        },
        70..73 => shop::Call::SubmitProof {
            buyer: owner,
            order,
            file: format!("{}.pdf", rng.random_range(0..2)),
        },
        73..77 => shop::Call::TopUp {
            user: buyer,
            amount: rng.random_range(1..4) * 500,
            reference: rng
                .random_bool(0.7)
                // No other shop's: a reference counts once.
                .then(|| Uuid::from_u128(terms.buyers[0].as_u128() ^ rng.random_range(1..6))),
        },
        77 => shop::Call::ReplaceCode {
            product: digital(world, &products),
            order,
        },
        78..80 => shop::Call::TakeCodes {
            product: digital(world, &products),
            quantity: rng.random_range(1..3),
            order,
            reference: key,
        },
        80..83 => shop::Call::TakeUnits {
            product: physical(world, &products, product),
            quantity,
            reference: key,
        },
        83 => counted_or_adjusted(rng, world, physical(world, &products, product), 4, key),
        84 => shop::Call::CountUse {
            promo: terms.promos.choose(rng).expect("there are some").id,
            reference: key,
        },
        85..87 => counted_or_adjusted(rng, world, physical(world, &products, product), 4, key),
        87..90 => shop::Call::Restock { product, quantity },
        90..92 if everything => shop::Call::ExpireOrders,
        92..94 if everything => shop::Call::ExpireHolds,
        // A product's own number is the stock as last settled, if it has slots.
        90..95 if terms.slots => shop::Call::LookAtStock {
            reader: Reader::User(buyer),
        },
        90..95 => shop::Call::LookAtShelf,
        _ => shop::Call::Look,
    };
    if call.is_keyed() {
        known.keyed.push(call.clone());
    }
    call
}

/// A customer begins to pay one of the latest orders by card, or the provider tells of it; of earlier ones it tells now
/// and then.
fn by_card(rng: &mut StdRng, known: &Known) -> shop::Call {
    let many = known.payments.len();
    let latest = if rng.random_bool(0.5) { 20 } else { 4 };
    let (order, total, attempt) = known.payments[many - 1 - rng.random_range(0..many.min(latest))];
    if rng.random_ratio(1, 3) {
        // Sometimes somebody else does.
        let whose = match rng.random_ratio(1, 10) {
            true => known.orders.last(),
            false => known.orders.iter().find(|(id, _)| *id == order),
        };
        let (_, buyer) = whose.expect("an order has a buyer");
        return shop::Call::BeginPayment {
            buyer: *buyer,
            order,
        };
    }
    let news = [
        News::Money,
        News::Money,
        News::Money,
        News::TooMuchMoney,
        News::Processing,
        News::Processing,
        News::Failed,
        News::Canceled,
    ];
    shop::Call::Tell(Tidings {
        event: Uuid::new_v4(),
        order,
        total,
        attempt,
        second: rng.random_ratio(1, 8),
        news: *news.choose(rng).expect("there are some"),
        age: *[0, 0, 20].choose(rng).expect("there are some"),
        forged: rng.random_ratio(1, 12),
    })
}

/// A call that has to do with slots, or brings stock to the other side of what opens or closes them.
fn with_slots(rng: &mut StdRng, world: &World<Shop>, products: &[Uuid]) -> shop::Call {
    let product = pick(rng, products);
    let unit = physical(world, products, product);
    let slots = rng.random_range(0..5);
    match rng.random_range(0..18) {
        0..3 => shop::Call::SetStockSlots { product, slots },
        3..5 => shop::Call::SetPromoSlots {
            promo: world
                .start
                .terms
                .promos
                .choose(rng)
                .expect("there are some")
                .id,
            slots,
        },
        5..8 => shop::Call::Settle,
        8..10 => shop::Call::LookAtStock {
            reader: *[
                Reader::Anyone,
                Reader::Shop,
                Reader::User(pick(rng, &world.start.terms.buyers)),
            ]
            .choose(rng)
            .expect("there are some"),
        },
        10..13 => shop::Call::Restock {
            product: unit,
            quantity: rng.random_range(5..50),
        },
        13..15 => shop::Call::WriteOff {
            product: unit,
            quantity: rng.random_range(1..25),
        },
        15..17 => counted_or_adjusted(rng, world, unit, 40, None),
        _ => shop::Call::TakeUnits {
            product: unit,
            quantity: rng.random_range(5..20),
            reference: None,
        },
    }
}

/// A call that has to do with stock in the store, and in the web shop beside it.
fn in_store(rng: &mut StdRng, world: &World<Shop>) -> shop::Call {
    let start = &world.start;
    let digital = |id: &Uuid| start.terms.products[id].digital;
    let online = start.stock.keys().filter(|id| !digital(id));
    let stocks: Vec<Uuid> = start.stores.keys().chain(online).copied().collect();
    let key = rng.random_ratio(1, 3).then(|| Uuid::new_v4().to_string());
    let one = pick(rng, &stocks);
    let amount = |rng: &mut StdRng, stock: Uuid| match start.stores.contains_key(&stock) {
        true => rng.random_range(1..6) * 500,
        false => rng.random_range(1..4) * 1000,
    };
    let action = match rng.random_range(0..12) {
        0..3 => {
            return shop::Call::SellAtTill {
                stock: one,
                quantity: amount(rng, one),
                reference: key,
            };
        }
        3 => {
            return shop::Call::LookAtInventory {
                stocks: vec![one, pick(rng, &stocks)],
            };
        }
        4..8 => Action::Adjust,
        8 => Action::Receive,
        9 => Action::Count,
        _ => Action::Set,
    };
    let mut named = vec![one, pick(rng, &stocks), pick(rng, &stocks)];
    named.truncate(rng.random_range(1..4));
    if action == Action::Set {
        named.sort();
        named.dedup();
    }
    let lines = named.into_iter().map(|stock| {
        let expected = match (action, start.stores.get(&stock)) {
            (Action::Set, Some(held)) if rng.random_bool(0.4) => {
                Some(Expected::Version(held.version + rng.random_range(0..8)))
            }
            (Action::Set, Some(_)) => Some(Expected::Quantity(rng.random_range(0..16) * 500)),
            (Action::Set, None) => Some(Expected::Quantity(
                (start.stock[&stock] + rng.random_range(-6..3)).max(0) * 1000,
            )),
            _ => None,
        };
        let sign = if action == Action::Adjust && rng.random_bool(0.6) {
            -1
        } else {
            1
        };
        Line {
            stock,
            amount: sign * amount(rng, stock),
            expected,
        }
    });
    shop::Call::Manage {
        action,
        lines: lines.collect(),
        key,
    }
}

/// A till sells, in the store or in the web shop's stead, or one of its latest sales is voided, or its shift ends or begins.
fn at_till(rng: &mut StdRng, world: &World<Shop>, known: &Known) -> shop::Call {
    let start = &world.start;
    let registers: Vec<_> = start.tills.registers.iter().collect();
    let (register, till) = registers[rng.random_range(0..registers.len())];
    match rng.random_range(0..18) {
        14.. => parked(rng, start, known, *register, till.location),
        0..2 if !known.sales.is_empty() => {
            let many = known.sales.len();
            shop::Call::VoidSale {
                sale: known.sales[many - 1 - rng.random_range(0..many.min(4))].id,
            }
        }
        2 => shop::Call::CloseShift {
            shift: known.shifts
                [known.shifts.len() - 1 - rng.random_range(0..known.shifts.len().min(3))],
            counted: rng.random_range(0..2) * 1000,
        },
        3..5 => shop::Call::OpenShift {
            register: *register,
        },
        what => {
            let sold = returnable(rng, known).filter(|_| what < 8);
            let location = till.location;
            shop::Call::Sell(match sold {
                Some(sold) => what_comes_back(rng, start, *register, location, sold),
                // When it was sold is known only where the clock is held.
                None if start.clock.exact && rng.random_ratio(1, 4) => {
                    let latest = known.shifts.len().min(3);
                    let shift = known.shifts[known.shifts.len() - 1 - rng.random_range(0..latest)];
                    cut_off(sale(rng, start, *register, location), shift)
                }
                None => sale(rng, start, *register, location),
            })
        }
    }
}

/// A till that was cut off sends what it has sold: for cash or by card, as nobody could count points.
fn cut_off(mut asked: Asked, shift: Uuid) -> Asked {
    asked.cut_off = Some(shift);
    asked.tenders.retain(|(kind, _)| *kind != Tender::Points);
    asked.key.get_or_insert_with(|| Uuid::new_v4().to_string());
    asked
}

/// A cart is put aside, or something becomes of one of the latest: several tills want it at once.
fn parked(
    rng: &mut StdRng,
    start: &Shop,
    known: &Known,
    register: Uuid,
    location: Uuid,
) -> shop::Call {
    let many = known.parked.len();
    let latest = (many > 0).then(|| known.parked[many - 1 - rng.random_range(0..many.min(2))]);
    let mut asked = sale(rng, start, register, location);
    let what = if latest.is_some() { 8 } else { 2 };
    match (rng.random_range(0..what), latest) {
        (2..4, Some(parked)) => shop::Call::Resume { parked, register },
        (4, Some(parked)) => shop::Call::Discard { parked },
        (5..7, Some(parked)) => {
            asked.parked = Some(parked);
            shop::Call::Sell(asked)
        }
        (again, _) => shop::Call::Park(Park {
            register,
            lines: asked.lines,
            hold: rng.random_ratio(2, 3),
            again: latest.filter(|_| again == 7),
            reference: asked.key,
        }),
    }
}

/// One of the latest sales.
fn returnable<'a>(rng: &mut StdRng, known: &'a Known) -> Option<&'a Sold> {
    let latest = known.sales.iter().rev();
    let latest = latest.filter(|sold| !sold.lines.is_empty());
    let latest: Vec<&Sold> = latest.take(4).collect();
    latest.choose(rng).copied()
}

/// Some of a sale comes back, perhaps for something else: sometimes more than there is still, or paid out in another way, or by
/// whoever has not bought it.
fn what_comes_back(
    rng: &mut StdRng,
    start: &Shop,
    register: Uuid,
    location: Uuid,
    sold: &Sold,
) -> Asked {
    let mut asked = sale(rng, start, register, location);
    let unit = if location == ONLINE { 1000 } else { 500 };
    let mut worth = 0;
    for (n, line) in sold.lines.iter().enumerate() {
        let left = ((line.quantity - line.returned) / unit).max(0);
        let most = left + i64::from(rng.random_ratio(1, 5) || left == 0);
        if n > 0 && rng.random_bool(0.5) {
            continue;
        }
        let quantity = rng.random_range(1..=most) * unit;
        asked.returns.push(Return {
            sale: sold.id,
            line: n,
            quantity,
            restock: rng.random_ratio(3, 4),
        });
        worth += share_of(line.total, line.returned + quantity, line.quantity)
            - share_of(line.total, line.returned, line.quantity);
    }
    match rng.random_range(0..12) {
        0 => {}
        1..5 => asked.customer = None,
        _ => asked.customer = sold.customer,
    }
    if rng.random_ratio(1, 2) {
        asked.lines.clear();
    }
    let lines = asked.lines.iter();
    let total: i64 = lines
        .map(|(stock, quantity)| start.price_at_till(*stock, *quantity))
        .sum();
    let by_points = match asked.customer.or(sold.customer) {
        Some(_) if total > worth && rng.random_ratio(1, 4) => 10 * start.terms.point_value,
        Some(_) if total < worth && rng.random_ratio(1, 8) => worth - total,
        Some(_) => sold.by_points.min(worth - total).max(0),
        None => 0,
    };
    let (kind, rest) = match total - worth {
        due @ 1.. => (Tender::Cash, due + 5000),
        due if rng.random_ratio(1, 8) => (Tender::Cash, -due - by_points),
        due => (sold.tender, -due - by_points),
    };
    let tenders = [(Tender::Points, by_points), (kind, rest)].into_iter();
    asked.tenders = tenders.filter(|(_, amount)| *amount > 0).collect();
    asked
}

/// One or two lines, to a customer now and then, for cash, by card or for points and cash.
fn sale(rng: &mut StdRng, start: &Shop, register: Uuid, location: Uuid) -> Asked {
    let held = start.stores.iter();
    let (stocks, unit): (Vec<Uuid>, i64) = match location == ONLINE {
        true => (held.map(|(_, held)| held.product).collect(), 1000),
        false => (held.map(|(id, _)| *id).collect(), 500),
    };
    let lines = (0..*[1, 1, 2].choose(rng).expect("there are some"))
        .map(|_| (pick(rng, &stocks), rng.random_range(1..4) * unit));
    let lines: Vec<(Uuid, i64)> = lines.collect();
    let customers: Vec<Uuid> = start.tills.customers.keys().copied().collect();
    let customer = rng.random_ratio(2, 3).then(|| pick(rng, &customers));
    let prices = lines.iter();
    let total: i64 = prices
        .map(|(stock, quantity)| start.price_at_till(*stock, *quantity))
        .sum();
    let points = rng.random_range(1..4) * 10 * start.terms.point_value;
    let tenders = match rng.random_range(0..6) {
        0..2 if customer.is_some() && points <= total => {
            vec![(Tender::Points, points), (Tender::Cash, HANDED)]
        }
        2 => vec![(Tender::Card, total)],
        _ => vec![(Tender::Cash, HANDED)],
    };
    Asked {
        register,
        lines,
        returns: Vec::new(),
        customer,
        tenders,
        parked: None,
        cut_off: None,
        key: rng.random_ratio(1, 2).then(|| Uuid::new_v4().to_string()),
    }
}

/// Goods move between the web shop and the store, or something becomes of what was sent: mostly of the latest, by several at once.
fn on_the_way(rng: &mut StdRng, world: &World<Shop>, known: &Known) -> shop::Call {
    let key = rng.random_ratio(1, 3).then(|| Uuid::new_v4().to_string());
    if !known.transfers.is_empty() && rng.random_ratio(2, 3) {
        let many = known.transfers.len();
        let (transfer, sent) = &known.transfers[many - 1 - rng.random_range(0..many.min(2))];
        let fate = match rng.random_range(0..8) {
            0..5 => Fate::Receive,
            5..7 => Fate::Lose,
            _ => Fate::Cancel,
        };
        let mut goods: Goods = match fate {
            Fate::Cancel => Vec::new(),
            _ => {
                let goods = sent.iter();
                let goods = goods.map(|(product, sent)| {
                    let most = sent / 1000 + i64::from(rng.random_ratio(1, 4));
                    (*product, rng.random_range(1..=most) * 1000)
                });
                goods.collect()
            }
        };
        if rng.random_bool(0.5) {
            goods.truncate(1);
        }
        return shop::Call::Book {
            transfer: *transfer,
            fate,
            goods,
            key,
        };
    }
    let held: Vec<_> = world.start.stores.values().collect();
    let store = held[0].location;
    let (from, to) = match rng.random_bool(0.5) {
        true => (ONLINE, store),
        false => (store, ONLINE),
    };
    let mut products: Vec<Uuid> = held.iter().map(|held| held.product).collect();
    if rng.random_bool(0.5) {
        products.reverse();
    }
    products.truncate(rng.random_range(1..3));
    let goods = products
        .into_iter()
        .map(|product| (product, rng.random_range(1..4) * 1000));
    shop::Call::Transfer {
        from,
        to,
        goods: goods.collect(),
        in_transit: rng.random_bool(0.6),
        key,
    }
}

/// Units that came or went, or a count of what was there at first: sometimes of what is there still.
fn counted_or_adjusted(
    rng: &mut StdRng,
    world: &World<Shop>,
    product: Uuid,
    most: i64,
    reference: Option<String>,
) -> shop::Call {
    if rng.random_bool(0.6) {
        return shop::Call::Adjust {
            product,
            delta: rng.random_range(1..most) * if rng.random_bool(0.4) { -1 } else { 1 },
            reference,
        };
    }
    let opening = world.start.stock[&product];
    let expected = (opening + rng.random_range(-4..4)).max(0);
    shop::Call::CountStock {
        product,
        counted: (expected + rng.random_range(-most..most)).max(0),
        expected,
        reference,
    }
}

/// A few of each; with slots now and then more than one slot has.
fn items(rng: &mut StdRng, products: &[Uuid], slots: bool) -> Vec<(Uuid, i64)> {
    let lines = *[1, 1, 1, 2, 2, 3].choose(rng).expect("there are some");
    let most = if slots && rng.random_ratio(1, 12) {
        20
    } else {
        4
    };
    (0..lines)
        .map(|_| (pick(rng, products), rng.random_range(1..most)))
        .collect()
}

/// Each customer has a few carts, two of them before all others, and no cart sometimes.
fn cart(rng: &mut StdRng, buyer: Uuid) -> Option<Uuid> {
    let number: u128 = match rng.random_ratio(1, 3) {
        true => rng.random_range(3..12),
        false => rng.random_range(0..3),
    };
    (number > 0).then(|| Uuid::from_u128(buyer.as_u128() ^ number))
}

fn code(rng: &mut StdRng, world: &World<Shop>, guessing: bool) -> String {
    let known = &world.start.terms.promos;
    let unknown = if guessing { 0.7 } else { 0.03 };
    if rng.random_bool(unknown) {
        format!("GUESS{}", rng.random_range(0..1000))
    } else {
        known.choose(rng).expect("there are some").code.clone()
    }
}

fn digital(world: &World<Shop>, products: &[Uuid]) -> Uuid {
    let mut digital = products
        .iter()
        .filter(|id| world.start.terms.products[*id].digital);
    *digital.next().expect("a shop has a digital product")
}

fn physical(world: &World<Shop>, products: &[Uuid], product: Uuid) -> Uuid {
    let is_physical = |id: &&Uuid| !world.start.terms.products[*id].digital;
    if is_physical(&&product) {
        return product;
    }
    *products
        .iter()
        .find(is_physical)
        .expect("a shop has a physical product")
}

/// The same call again; sometimes another one under the same key.
fn sometimes_changed(rng: &mut StdRng, mut call: shop::Call) -> shop::Call {
    if !rng.random_ratio(1, 5) {
        if let shop::Call::Checkout {
            items, expected, ..
        } = &mut call
        {
            // The same cart, though it looks otherwise.
            items.reverse();
            *expected = rng.random_ratio(1, 4).then_some(1);
        }
        return call;
    }
    match &mut call {
        shop::Call::Checkout { items, .. } => items[0].1 = 4,
        shop::Call::TakeUnits { quantity, .. } => *quantity = 4,
        shop::Call::Adjust { delta, .. } => *delta = 5,
        shop::Call::CountStock { counted, .. } => *counted = 9,
        shop::Call::SellAtTill { quantity, .. } => *quantity = 4000,
        shop::Call::Sell(asked) => asked.tenders = vec![(Tender::Cash, 4000)],
        shop::Call::Park(asked) => asked.lines[0].1 = 4000,
        shop::Call::Manage { lines, .. } => lines[0].amount = 4000,
        shop::Call::Transfer { goods, .. } => goods[0].1 = 4000,
        _ => {}
    }
    call
}

//! Changes an input a little, knowing what it is made of: inputs are JSON documents whose texts may
//! be JSON again (bodies, and the claims within a token), and all of that is changed at any depth.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interlock_domain::errors::Code;
use interlock_domain::json::{Codec as _, SerdeJson, Value};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _};

/// Numbers at the edges of what the contract and the machine tell apart.
const NUMBERS: [f64; 42] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    3.0,
    4.0,
    5.0,
    16.0,
    17.0,
    99.0,
    100.0,
    101.0,
    199.0,
    200.0,
    204.0,
    299.0,
    300.0,
    400.0,
    401.0,
    403.0,
    409.0,
    429.0,
    500.0,
    502.0,
    503.0,
    504.0,
    520.0,
    530.0,
    9_999.0,
    10_000.0,
    10_001.0,
    65_535.0,
    65_736.0,
    86_401.0,
    4_294_967_295.0,
    9_007_199_254_740_991.0,
    9_007_199_254_740_992.0,
    1e17,
    1e300,
    -1e300,
];

/// Words that the exchange looks for; the catalogue's codes are added to them.
const WORDS: [&str; 83] = [
    "",
    " ",
    "\0",
    "\n",
    "\r\n",
    "\"",
    "\\",
    "/",
    "~",
    "%",
    "é",
    "😀",
    "\u{2028}",
    "\u{feff}",
    "{}",
    "[]",
    "null",
    "true",
    "1e999",
    "-0",
    "\\ud800",
    "\\u0000",
    "{\"",
    "\":",
    "[[[[[[[[[[[[[[[[[",
    "POST",
    "OPTIONS",
    "GET",
    "Bearer ",
    "bearer",
    "sb_secret_x",
    ".",
    "application/json",
    "text/plain",
    ";charset=utf-8",
    "sub",
    "role",
    "anon",
    "exp",
    "authenticated",
    "batch_id",
    "action",
    "claim",
    "renew",
    "release",
    "start",
    "complete",
    "cart_items",
    "product_id",
    "quantity",
    "promo_code",
    "cart_id",
    "payment_method",
    "wallet",
    "code",
    "subtotal",
    "dry_run",
    "apply",
    "ba7c4000-0000-4000-8000-000000000001",
    "deliveries",
    "public",
    "url",
    "https://",
    "outlet",
    "replies",
    "delivered",
    "10.0.0.1",
    "1.1.1.1",
    "::ffff:7f00:1",
    "answered",
    "unset",
    "unsent",
    "broken",
    "timedOut",
    "unreadable",
    "PT409",
    "PT429",
    "40001",
    "55P03",
    "57014",
    "42501",
    "PGRST301",
    "PGRST003",
];

/// What an upstream error has, and the state that travels.
const NAMES: [&str; 9] = [
    "message",
    "details",
    "hint",
    "retry_after",
    "retryAfter",
    "status",
    "__proto__",
    "repeats",
    "count",
];

/// Changes one to four things. `donor` is another input to take pieces from.
pub(crate) fn mutate(value: &mut Value, donor: &Value, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..=4) {
        let mut index = rng.random_range(0..nodes(value));
        at(value, &mut index, &mut |node| change(node, donor, rng));
    }
}

/// A word that is worth trying.
pub(crate) fn word(rng: &mut StdRng) -> &'static str {
    match rng.random_range(0..5) {
        0 => Code::all().choose(rng).map_or("", |code| code.entry().code),
        1 => NAMES.choose(rng).copied().unwrap_or_default(),
        _ => WORDS.choose(rng).copied().unwrap_or_default(),
    }
}

/// How many values there are in a document.
fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::List(items) => items.iter().map(nodes).sum(),
        Value::Object(members) => members.iter().map(|(_, value)| nodes(value)).sum(),
        _ => 0,
    }
}

/// Calls `found` with the value at that index, counted from the root and depth first.
fn at(value: &mut Value, index: &mut usize, found: &mut dyn FnMut(&mut Value)) -> bool {
    if *index == 0 {
        found(value);
        return true;
    }
    *index -= 1;
    match value {
        Value::List(items) => items.iter_mut().any(|item| at(item, index, found)),
        Value::Object(members) => members.iter_mut().any(|(_, value)| at(value, index, found)),
        _ => false,
    }
}

/// Some value of a document.
fn piece(value: &Value, rng: &mut StdRng) -> Value {
    let mut whole = value.clone();
    let mut index = rng.random_range(0..nodes(value));
    let mut piece = Value::Null;
    at(&mut whole, &mut index, &mut |node| piece = node.clone());
    piece
}

fn change(value: &mut Value, donor: &Value, rng: &mut StdRng) {
    match rng.random_range(0..40) {
        0 => *value = piece(donor, rng),
        1 => *value = leaf(rng),
        2 => {
            let depth = rng.random_range(1..20);
            let inner = std::mem::replace(value, Value::Null);
            *value = (0..depth).fold(inner, |inner, _| Value::List(vec![inner]));
        }
        _ => match value {
            Value::Null => *value = leaf(rng),
            Value::Bool(truth) => *truth = !*truth,
            Value::Number(number) => *number = another_number(*number, rng),
            Value::Text(text) => match change_inside(text, donor, rng) {
                Some(changed) => *text = changed,
                None if rng.random_range(0..60) == 0 => {
                    // Bytes that need not be a text; see `text_or_bytes` of the targets.
                    let mut bytes = text.clone().into_bytes();
                    bytes.push(rng.random());
                    let bytes = bytes.into_iter().take(64);
                    *value = Value::List(bytes.map(|byte| u32::from(byte).into()).collect());
                }
                None => change_text(text, donor, rng),
            },
            Value::List(items) => change_list(items, donor, rng),
            Value::Object(members) => change_object(members, donor, rng),
        },
    }
}

fn leaf(rng: &mut StdRng) -> Value {
    match rng.random_range(0..6) {
        0 => Value::Null,
        1 => rng.random::<bool>().into(),
        2 => another_number(0.0, rng).into(),
        3 => Value::List(Vec::new()),
        4 => Value::Object(Vec::new()),
        _ => word(rng).into(),
    }
}

fn another_number(number: f64, rng: &mut StdRng) -> f64 {
    let number = if number.is_finite() { number } else { 0.0 };
    match rng.random_range(0..6) {
        0 => number + 1.0,
        1 => number - 1.0,
        2 => -number,
        3 => number * rng.random_range(0.0..3.0),
        _ => NUMBERS.choose(rng).copied().unwrap_or_default(),
    }
}

/// Changes the JSON that a text is, or the claims of the token that it carries.
fn change_inside(text: &str, donor: &Value, rng: &mut StdRng) -> Option<String> {
    if rng.random_range(0..4) == 0 {
        return None;
    }
    if let Some((head, claims, tail)) = token(text) {
        let mut value = SerdeJson.parse(&claims).ok()?;
        mutate(&mut value, donor, rng);
        let claims = URL_SAFE_NO_PAD.encode(SerdeJson.write(&value));
        return Some(format!("{head}.{claims}.{tail}"));
    }
    match SerdeJson.parse(text) {
        Ok(mut value @ (Value::List(_) | Value::Object(_))) => {
            mutate(&mut value, donor, rng);
            Some(SerdeJson.write(&value))
        }
        _ => None,
    }
}

/// What stands before, in and behind the claims of a bearer token.
pub(crate) fn token(text: &str) -> Option<(&str, String, &str)> {
    let (head, rest) = text.strip_prefix("Bearer ").and(text.split_once('.'))?;
    let (claims, tail) = rest.split_once('.')?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    Some((head, String::from_utf8(claims).ok()?, tail))
}

fn change_text(text: &mut String, donor: &Value, rng: &mut StdRng) {
    let chars: Vec<char> = text.chars().collect();
    let from = rng.random_range(0..=chars.len());
    let to = rng.random_range(from..=chars.len().min(from + 16));
    let (before, inner, after) = (&chars[..from], &chars[from..to], &chars[to..]);
    let mut middle = String::new();
    match rng.random_range(0..12) {
        0 => {}
        1..=3 => middle.push_str(word(rng)),
        4 => {
            middle.extend(inner);
            middle.push_str(word(rng));
        }
        5 => middle.extend(inner.iter().chain(inner)),
        6 => middle.push(rng.random::<char>()),
        7 => middle.push(char::from(rng.random_range(0..128_u8))),
        8 => middle.extend(
            inner
                .iter()
                .map(|char| char::from(*char as u8 ^ (1 << rng.random_range(0..7_u32)))),
        ),
        9 => middle.push_str(piece(donor, rng).as_text().unwrap_or_default()),
        10 => {
            *text = word(rng).to_owned();
            return;
        }
        _ => {
            // Beyond the limits of sizes, now and then of the largest.
            let most = if rng.random_range(0..8) == 0 {
                70_000
            } else {
                300
            };
            let times = rng.random_range(1..most) / inner.len().max(1);
            middle.extend(inner.iter().cycle().take(times * inner.len()));
        }
    }
    *text = before
        .iter()
        .copied()
        .chain(middle.chars())
        .chain(after.iter().copied())
        .collect();
}

fn change_list(items: &mut Vec<Value>, donor: &Value, rng: &mut StdRng) {
    let index = rng.random_range(0..=items.len());
    match items.get(index).cloned() {
        Some(_) if rng.random_range(0..3) == 0 => drop(items.remove(index)),
        Some(item) if rng.random_range(0..8) == 0 => {
            let times = rng.random_range(1..120);
            items.splice(index..index, vec![item; times]);
        }
        Some(item) => items.insert(index, item),
        None => items.push(piece(donor, rng)),
    }
}

fn change_object(members: &mut Vec<(String, Value)>, donor: &Value, rng: &mut StdRng) {
    let index = rng.random_range(0..=members.len());
    match members.get(index).cloned() {
        Some(_) if rng.random_range(0..3) == 0 => drop(members.remove(index)),
        Some((name, _)) if rng.random_range(0..3) == 0 => members.push((name, piece(donor, rng))),
        Some(_) if rng.random_range(0..2) == 0 => change_text(&mut members[index].0, donor, rng),
        _ if rng.random_range(0..8) == 0 => {
            let many =
                (0..rng.random_range(1..60)).map(|_| (rng.next_u32().to_string(), Value::Null));
            members.extend(many);
        }
        _ => {
            let value = if rng.random() {
                leaf(rng)
            } else {
                piece(donor, rng)
            };
            members.push((word(rng).to_owned(), value));
        }
    }
}

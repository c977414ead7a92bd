//! Every kind of credential at every function and RPC, and what each must be answered.

use super::endpoints;
use super::http::{CALLS_AT_ONCE, Call, Reply};
use super::people::Cast;
use crate::harness::stack::{Bench, Stack, sign, unix_time, user_claims};
use crate::prove::report::Section;
use anyhow::Result;
use futures::StreamExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

/// What is sent as the API key.
#[derive(Clone, Copy)]
enum Key {
    Missing,
    Anon,
    Service,
    Unknown,
    /// From the environment; the case is left out where it is not set.
    Publishable,
    Secret,
}

/// What is sent as the bearer token.
#[derive(Clone, Copy)]
enum Token {
    Missing,
    /// The API key again, as supabase-js does without a session.
    TheKey,
    /// The stack's own signature on these claims.
    Signed(fn(&mut Value)),
    /// A good user's claims and somebody else's signature.
    Forged,
    /// The same under the name of a key that the project publishes, if it has one.
    ForgedUnderAName,
    /// A good user's claims, `alg: none`, no signature.
    Unsigned,
    /// A good token whose claims were exchanged afterwards.
    Altered,
    /// No token at all.
    Text(&'static str),
}

/// The answers that a case must get: of a function, of an RPC for users, of an RPC for the shop, and of
/// a read of `orders`. `passes` is any answer but a refusal of the caller. A code is compared only where
/// the gateway is ours: the platform's has bodies of its own.
struct Case {
    name: &'static str,
    key: Key,
    token: Token,
    answers: [&'static str; 4],
}

const fn case(name: &'static str, key: Key, token: Token, answers: [&'static str; 4]) -> Case {
    Case {
        name,
        key,
        token,
        answers,
    }
}

const NOBODY: &str = "401 UNAUTHENTICATED";
/// Of nobody who is signed in.
const DENIED: &str = "401 42501";
/// Of somebody: PostgREST's two answers to one refusal.
const NO_RIGHT: &str = "403 42501";
const PASSES: &str = "passes";
const NO_JWT: &str = "401 PGRST301";
const BAD_JWT: &str = "401 PGRST303";

/// What somebody of them does for themselves: the shop's own code is nobody.
const FOR_SOMEBODY_ON_THE_STAFF: &str = "claim_picking";

/// What tells everybody of a role the same, whoever they are: nothing of anybody.
const FOR_A_ROLE: &str = "log_position";

/// Not the project's.
const OTHER_SECRET: &str = "somebody-else's-secret-of-at-least-32-characters";
/// The RPC that a user and the shop may call.
const FOR_BOTH: &str = "cancel_order";
/// The RPCs that of users only staff may call, and the function.
const FOR_STAFF: &[&str] = &[
    "abandon_picking_session",
    "accept_finding",
    "accept_payment",
    "adjust_points",
    "adjust_stock",
    "adjust_wallet",
    "allow_email",
    "approve_sale",
    "assign_batch",
    "browse_shop",
    "close_shift",
    "correct_order",
    "count_stock",
    "create_picking_session",
    "create_webhook_endpoint",
    "debit_wallet",
    "decrement_inventory",
    "delete_webhook_endpoint",
    "discard_parked_sale",
    "erase_customer",
    "find_customer",
    "fulfill_order",
    "functions/v1/inventory",
    "functions/v1/pack",
    "functions/v1/pos-sale",
    "get_picking_session",
    "increment_packing_quantity",
    "link_customer",
    "list_deliveries",
    "list_orders",
    "list_payment_proofs",
    "list_payments",
    "list_wallet_movements",
    "list_webhook_endpoints",
    "manage_inventory",
    "merge_customers",
    "metrics",
    "move_cash",
    "move_orders",
    "open_shift",
    "order_story",
    "pack_item",
    "park_sale",
    "pick_item",
    "pos_sale",
    "preview_mail",
    "process_order",
    "refund_order",
    "refund_order_lines",
    "refund_payment",
    "reject_payment",
    "release_picking",
    "remove_order_from_session",
    "reopen_order",
    "replace_product_code",
    "resolve_finding",
    "resume_parked_sale",
    "retry_delivery",
    "roll_webhook_secret",
    "sale_receipt",
    "save_customer",
    "send_test_event",
    "set_crm_mappings",
    "set_crm_settings",
    "set_mail_settings",
    "set_mail_template",
    "set_packed_quantity",
    "ship_order",
    "ship_order_lines",
    "shop_health",
    "start_packing",
    "suppress_email",
    "update_packing_progress_atomic",
    "update_webhook_endpoint",
    "void_sale",
];

#[rustfmt::skip]
const CASES: &[Case] = &[
    //                                                                             function   RPC        shop's RPC read
    case("no key, no token",           Key::Missing,     Token::Missing,           [NOBODY,   NOBODY,    NOBODY,   NOBODY]),
    case("an unknown key",             Key::Unknown,     Token::Missing,           [NOBODY,   NOBODY,    NOBODY,   NOBODY]),
    case("the anon key",               Key::Anon,        Token::Missing,           [NOBODY,   DENIED,    DENIED,   DENIED]),
    case("the anon key twice",         Key::Anon,        Token::TheKey,            [NOBODY,   DENIED,    DENIED,   DENIED]),
    case("the publishable key",        Key::Publishable, Token::Missing,           [NOBODY,   DENIED,    DENIED,   DENIED]),
    case("the publishable key twice",  Key::Publishable, Token::TheKey,            [NOBODY,   DENIED,    DENIED,   DENIED]),
    case("the service role's key",     Key::Service,     Token::TheKey,            [NOBODY,   NOBODY,    PASSES,   PASSES]),
    case("the secret key",             Key::Secret,      Token::Missing,           [NOBODY,   NOBODY,    PASSES,   PASSES]),
    case("a user",                     Key::Anon,        Token::Signed(|_| ()),    [PASSES,   PASSES,    NO_RIGHT, PASSES]),
    case("no JWT",                     Key::Anon,        Token::Text("test"),      [NOBODY,   NO_JWT,    NO_JWT,   NO_JWT]),
    case("two dots, no JWT",           Key::Anon,        Token::Text("a.b.c"),     [NOBODY,   NO_JWT,    NO_JWT,   NO_JWT]),
    case("a forged signature",         Key::Anon,        Token::Forged,            [NOBODY,   NO_JWT,    NO_JWT,   NO_JWT]),
    case("forged under a key's name",  Key::Anon,        Token::ForgedUnderAName,  [NOBODY,   NO_JWT,    NO_JWT,   NO_JWT]),
    case("no signature, alg none",     Key::Anon,        Token::Unsigned,          [NOBODY,   NO_JWT,    NO_JWT,   NO_JWT]),
    case("claims exchanged",           Key::Anon,        Token::Altered,           [NOBODY,   NO_JWT,    NO_JWT,   NO_JWT]),
    case("expired",                    Key::Anon,        Token::Signed(expired),   [NOBODY,   BAD_JWT,   BAD_JWT,  BAD_JWT]),
    case("not valid yet",              Key::Anon,        Token::Signed(too_early), [NOBODY,   BAD_JWT,   BAD_JWT,  BAD_JWT]),
    case("role postgres",              Key::Anon,        Token::Signed(postgres),  ["403 FORBIDDEN", NO_RIGHT, NO_RIGHT, NO_RIGHT]),
    case("role supabase_admin",        Key::Anon,        Token::Signed(admin),     ["403 FORBIDDEN", NO_RIGHT, NO_RIGHT, NO_RIGHT]),
    case("role authenticator",         Key::Anon,        Token::Signed(connector), ["403 FORBIDDEN", NO_RIGHT, NO_RIGHT, NO_RIGHT]),
    case("a role that is not there",   Key::Anon,        Token::Signed(no_role),   [NOBODY, "401 22023", "401 22023", "401 22023"]),
    case("role anon with a user's id", Key::Anon,        Token::Signed(anon),      [NOBODY,   DENIED,    DENIED,   DENIED]),
    case("no sub",                     Key::Anon,        Token::Signed(nobody),    [NOBODY,   NOBODY,    NO_RIGHT, PASSES]),
    case("a sub that is no UUID",      Key::Anon,        Token::Signed(other_sub), [NOBODY, "400 22P02", NO_RIGHT, PASSES]),
    case("an empty sub",               Key::Anon,        Token::Signed(empty_sub), [NOBODY, "400 22P02", NO_RIGHT, PASSES]),
    case("staff by user_metadata",     Key::Anon,        Token::Signed(fake_staff),[PASSES,   PASSES,    NO_RIGHT, PASSES]),
];

fn expired(claims: &mut Value) {
    // Past the leeway of every part.
    claims["exp"] = json!(unix_time() - 120);
}
fn too_early(claims: &mut Value) {
    claims["nbf"] = json!(unix_time() + 1_800);
}
fn postgres(claims: &mut Value) {
    claims["role"] = json!("postgres");
}
fn admin(claims: &mut Value) {
    claims["role"] = json!("supabase_admin");
}
fn connector(claims: &mut Value) {
    claims["role"] = json!("authenticator");
}
fn no_role(claims: &mut Value) {
    claims["role"] = json!("test_no_such_role");
}
fn anon(claims: &mut Value) {
    claims["role"] = json!("anon");
}
fn nobody(claims: &mut Value) {
    claims.as_object_mut().map(|claims| claims.remove("sub"));
}
fn other_sub(claims: &mut Value) {
    claims["sub"] = json!("user_2abc' or '1'='1");
}
fn empty_sub(claims: &mut Value) {
    claims["sub"] = json!("");
}
fn fake_staff(claims: &mut Value) {
    // Users write this part of their tokens themselves.
    claims["user_metadata"] = json!({ "role": "staff" });
}

impl Key {
    fn text(self, stack: &Stack) -> Option<String> {
        match self {
            Key::Missing => Some(String::new()),
            Key::Anon => Some(stack.anon_key.clone()),
            Key::Service => Some(stack.service_role_key.clone()),
            Key::Unknown => Some("sb_publishable_test_unknown_key".to_owned()),
            Key::Publishable => std::env::var("PUBLISHABLE_KEY").ok(),
            Key::Secret => std::env::var("SECRET_KEY").ok(),
        }
    }
}

impl Token {
    fn text(self, stack: &Stack, user: Uuid, key: &str, published: &str) -> Option<String> {
        let good = user_claims(user);
        Some(match self {
            Token::Missing => return None,
            Token::TheKey => key.to_owned(),
            Token::Signed(change) => {
                let mut claims = good;
                change(&mut claims);
                stack.token(&claims)
            }
            Token::Forged => sign(&good, OTHER_SECRET),
            Token::ForgedUnderAName => {
                let header = Header {
                    kid: Some(published.to_owned()),
                    ..Header::new(Algorithm::HS256)
                };
                let other = EncodingKey::from_secret(OTHER_SECRET.as_bytes());
                jsonwebtoken::encode(&header, &good, &other).expect("claims can be signed")
            }
            // {"alg":"none","typ":"JWT"}
            Token::Unsigned => format!(
                "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
                part(&stack.token(&good), 1)
            ),
            Token::Altered => {
                let (mine, other) = (stack.token(&good), stack.user_token(Uuid::new_v4()));
                format!("{}.{}.{}", part(&mine, 0), part(&other, 1), part(&mine, 2))
            }
            Token::Text(text) => text.to_owned(),
        })
    }
}

fn part(token: &str, index: usize) -> &str {
    token.split('.').nth(index).unwrap_or_default()
}

/// Sends every case to everything.
pub(super) async fn check(bench: &Bench, cast: &Cast, section: &mut Section) -> Result<()> {
    let stack = bench.stack;
    let functions = endpoints::functions();
    let rpcs = endpoints::rpcs(&bench.db).await?;
    let published = published_key(stack).await;
    let mut calls = Vec::new();
    for case in CASES {
        let Some(key) = case.key.text(stack) else {
            section.left_out.push(format!(
                "credentials, {}: PUBLISHABLE_KEY or SECRET_KEY is not in the environment",
                case.name
            ));
            continue;
        };
        let targets = functions
            .iter()
            .map(|function| {
                let by_the_shop = matches!((case.key, case.token), (Key::Service, Token::TheKey));
                (
                    if by_the_shop && function.by_shop {
                        2
                    } else {
                        0
                    },
                    !function.for_users,
                    Call::post(function.path(), &function.body),
                )
            })
            .chain(rpcs.iter().map(|rpc| {
                let by_the_shop = matches!(case.key, Key::Service | Key::Secret);
                let for_both = rpc.name == FOR_BOTH || FOR_STAFF.contains(&rpc.name.as_str());
                let for_the_shop = !rpc.for_users || (by_the_shop && for_both);
                (
                    if for_the_shop { 2 } else { 1 },
                    rpc.for_anyone,
                    Call::post(rpc.path(), json!(rpc.harmless())),
                )
            }))
            .chain([(3, false, Call::get("/rest/v1/orders?select=id&limit=1"))]);
        for (answer, for_anyone, mut call) in targets {
            call.token = case.token.text(stack, cast.stranger, &key, &published);
            call.key = Some(key.clone()).filter(|key| !key.is_empty());
            calls.push((case, case.answers[answer], for_anyone, call));
        }
    }
    let sent = calls.len() as u64;
    let answers = calls
        .into_iter()
        .map(|(case, expected, for_anyone, call)| async move {
            let reply = call.send(stack).await;
            (case, expected, for_anyone, call, reply)
        });
    let mut answers = futures::stream::iter(answers).buffered(CALLS_AT_ONCE);
    while let Some((case, expected, for_anyone, call, reply)) = answers.next().await {
        let by_a_user = !matches!(case.key, Key::Service | Key::Secret);
        let expected = if expected == PASSES
            && by_a_user
            && FOR_STAFF
                .iter()
                .chain([&FOR_SOMEBODY_ON_THE_STAFF])
                .any(|rpc| call.path.ends_with(rpc))
        {
            "403 FORBIDDEN"
        } else {
            expected
        };
        // Where nobody need be anybody, there is nothing to refuse; of a role, all but who has another.
        let for_the_role = call.path.ends_with(FOR_A_ROLE) && expected != DENIED;
        let passes = (for_anyone || for_the_role) && as_expected(PASSES, &reply, stack.is_local());
        if !passes && !as_expected(expected, &reply, stack.is_local()) {
            section.failures.push(format!(
                "{} at {}: expected {expected}, was answered {}",
                case.name,
                call.path,
                reply.brief()
            ));
        }
    }
    section.count("credentials sent: case × function or RPC", sent);
    in_the_query(bench, section).await;
    somebody_else_in_the_body(bench, cast, section).await?;
    Ok(())
}

/// The name of a key that tokens of this project may be signed with, or any.
async fn published_key(stack: &Stack) -> String {
    let reply = Call::get("/auth/v1/.well-known/jwks.json")
        .by(&stack.anon_key, None)
        .send(stack)
        .await;
    let keys: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    keys["keys"][0]["kid"].as_str().unwrap_or("test").to_owned()
}

fn as_expected(expected: &str, reply: &Reply, is_local: bool) -> bool {
    let code = reply.code();
    if expected == PASSES {
        return reply.status < 500
            && reply.status != 401
            && !["42501", "FORBIDDEN"].contains(&code.as_str());
    }
    let Some((status, expected_code)) = expected.split_once(' ') else {
        return false;
    };
    let same_status = reply.status.to_string() == status;
    // A token that no key fits is "cannot be decoded" or "not valid", as the server sees it.
    let same_code = code == expected_code
        || (expected_code.starts_with("PGRST30") && code.starts_with("PGRST30"));
    same_status && (same_code || !is_local)
}

/// The functions that somebody has to be signed in for.
fn for_users() -> impl Iterator<Item = endpoints::Function> {
    endpoints::functions()
        .into_iter()
        .filter(|function| function.for_users)
}

/// A token in the address would end in logs: nobody takes it from there.
async fn in_the_query(bench: &Bench, section: &mut Section) {
    let token = bench.stack.user_token(Uuid::new_v4());
    let mut sent = 0;
    for function in for_users() {
        for name in ["access_token", "token", "jwt", "authorization"] {
            sent += 1;
            let path = format!("{}?{name}={token}", function.path());
            let reply = Call::post(path, &function.body)
                .by(&bench.stack.anon_key, None)
                .send(bench.stack)
                .await;
            if reply.status != 401 {
                section.failures.push(format!(
                    "{} takes a token from the query ({name}): {}",
                    function.name,
                    reply.brief()
                ));
            }
        }
    }
    section.count("tokens in the query", sent);
}

/// Who calls is in the token alone: a body that names somebody is refused.
async fn somebody_else_in_the_body(
    bench: &Bench,
    cast: &Cast,
    section: &mut Section,
) -> Result<()> {
    let stack = bench.stack;
    let token = stack.user_token(cast.stranger);
    let names = [
        "user_id",
        "p_user_id",
        "driver_id",
        "sub",
        "role",
        "request.jwt.claims",
    ];
    let mut sent = 0;
    for name in names {
        for function in for_users() {
            sent += 1;
            let mut body = function.body.clone();
            body[name] = json!(cast.owner);
            let reply = Call::post(function.path(), body)
                .by(&stack.anon_key, Some(&token))
                .send(stack)
                .await;
            if reply.status != 400 || !reply.body.contains(&format!("\"/{name}\"")) {
                section.failures.push(format!(
                    "{} with {name} in the body: {}",
                    function.name,
                    reply.brief()
                ));
            }
        }
        for rpc in endpoints::rpcs(&bench.db).await? {
            if !rpc.for_users {
                continue;
            }
            sent += 1;
            let mut body = rpc.harmless();
            body.insert(name.to_owned(), json!(cast.owner));
            let reply = Call::post(rpc.path(), json!(body))
                .by(&stack.anon_key, Some(&token))
                .send(stack)
                .await;
            // Staff may ask for somebody's orders, and nobody else.
            let takes_it = rpc.arguments.iter().any(|argument| argument.name == name);
            if reply.status != if takes_it { 403 } else { 404 } {
                section.failures.push(format!(
                    "{} with {name} in the body: {}",
                    rpc.name,
                    reply.brief()
                ));
            }
        }
    }
    section.count("bodies that name another user", sent);
    Ok(())
}

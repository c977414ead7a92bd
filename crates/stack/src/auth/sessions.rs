//! Sessions: how they begin, what they are prolonged with, and how they end.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::refusal::Refusal;
use super::users::{User, Whom};
use crate::keys;

/// How somebody signed in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Password,
    Anonymous,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Anonymous => "anonymous",
        }
    }
}

/// What tokens are made with.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Who signs them: the address of `/auth/v1`.
    pub(super) name: String,
    /// For how many seconds they are good.
    pub(super) expires_in: i64,
    /// For how many seconds after its use a refresh token may be used again, by a second tab say.
    pub(super) reuse_interval: i64,
}

/// A new session, as it is answered to whoever signs in.
pub(super) async fn begin(
    connection: &mut PgConnection,
    issuer: &Issuer,
    id: &str,
    method: Method,
    user_agent: Option<&str>,
) -> Result<Value, Refusal> {
    let session = Uuid::new_v4().to_string();
    let token = refresh_token(Uuid::new_v4());
    let failed = |_| Refusal::database("Database error granting user");
    sqlx::query(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip) \
         values ($1::uuid, $2::uuid, now(), now(), 'aal1', $3, '127.0.0.1')",
    )
    .bind(&session)
    .bind(id)
    .bind(user_agent)
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    add_refresh_token(connection, &session, id, &token, "")
        .await
        .map_err(failed)?;
    sqlx::query(
        "insert into auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method, id) \
         values ($1::uuid, now(), now(), $2, gen_random_uuid())",
    )
    .bind(&session)
    .bind(method.name())
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    sqlx::query(
        "update auth.users set last_sign_in_at = now(), updated_at = now() where id = $1::uuid",
    )
    .bind(id)
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    answer(connection, issuer, &session, &token, id).await
}

/// Changes a refresh token into a new one and a new access token. `Err` inside is a refusal that is to be committed: whoever uses
/// an old token again ends the session of whoever has the new one.
pub(super) async fn refresh(
    connection: &mut PgConnection,
    issuer: &Issuer,
    given: &str,
) -> Result<Result<Value, Refusal>, Refusal> {
    let failed = |_| Refusal::database("Database error refreshing the session");
    // One after the other; who has waited reads the token as the other one has left it.
    let session: Option<String> = sqlx::query_scalar(
        "select s.id::text from auth.sessions s \
         where s.id = (select t.session_id from auth.refresh_tokens t where t.token = $1) for update",
    )
    .bind(given)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    let Some(session) = session else {
        return Err(Refusal::new(
            hyper::StatusCode::BAD_REQUEST,
            "refresh_token_not_found",
            "Invalid Refresh Token: Refresh Token Not Found",
        ));
    };
    let (user_id, revoked, late, child): (String, bool, bool, Option<String>) = sqlx::query_as(
        "select t.user_id, coalesce(t.revoked, false), t.updated_at < clock_timestamp() - make_interval(secs => $2), \
         (select c.token from auth.refresh_tokens c where c.session_id = t.session_id and not c.revoked and c.parent = t.token \
          order by c.id desc limit 1) \
         from auth.refresh_tokens t where t.token = $1",
    )
    .bind(given)
    .bind(issuer.reuse_interval as f64)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let user = User::find(connection, Whom::Id(&user_id)).await?;
    if user.is_none_or(|user| user.is_banned) {
        return Err(Refusal::new(
            hyper::StatusCode::BAD_REQUEST,
            "user_banned",
            "Invalid Refresh Token: User Banned",
        ));
    }
    let token = match (revoked, child) {
        // The client has not kept the answer: it gets the same one.
        (true, Some(child)) => child,
        (true, None) if late => {
            sqlx::query(
                "update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = $1::uuid and not revoked",
            )
            .bind(&session)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
            return Ok(Err(Refusal::new(
                hyper::StatusCode::BAD_REQUEST,
                "refresh_token_already_used",
                "Invalid Refresh Token: Already Used",
            )));
        }
        _ => {
            let token = refresh_token(Uuid::new_v4());
            if !revoked {
                sqlx::query(
                    "update auth.refresh_tokens set revoked = true, updated_at = now() where token = $1",
                )
                .bind(given)
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
            }
            add_refresh_token(connection, &session, &user_id, &token, given)
                .await
                .map_err(failed)?;
            token
        }
    };
    sqlx::query(
        "update auth.sessions set refreshed_at = now() at time zone 'utc', updated_at = now() where id = $1::uuid",
    )
    .bind(&session)
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    answer(connection, issuer, &session, &token, &user_id)
        .await
        .map(Ok)
}

/// Which sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// This one.
    Local,
    /// All but this one.
    Others,
    /// All.
    Global,
}

impl Scope {
    pub(super) fn of(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None | Some("" | "global") => Ok(Self::Global),
            Some("local") => Ok(Self::Local),
            Some("others") => Ok(Self::Others),
            Some(other) => Err(Refusal::invalid(format!(
                "Unsupported logout scope {other:?}"
            ))),
        }
    }
}

/// Ends sessions of somebody; their refresh tokens go with them.
pub(super) async fn end(
    connection: &mut PgConnection,
    user: &str,
    session: Option<&str>,
    scope: Scope,
) -> sqlx::Result<()> {
    let scope = match (scope, session) {
        (Scope::Local, Some(_)) => "local",
        (Scope::Others, Some(_)) => "others",
        // A token that names no session is of all of them.
        _ => "global",
    };
    sqlx::query(
        "delete from auth.sessions where user_id = $1::uuid \
         and case $3 when 'local' then id = $2::uuid when 'others' then id <> $2::uuid else true end",
    )
    .bind(user)
    .bind(session)
    .bind(scope)
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_refresh_token(
    connection: &mut PgConnection,
    session: &str,
    user: &str,
    token: &str,
    parent: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id) \
         values ('00000000-0000-0000-0000-000000000000', $1, $2, false, now(), now(), $3, $4::uuid)",
    )
    .bind(token)
    .bind(user)
    .bind(parent)
    .bind(session)
    .execute(connection)
    .await?;
    Ok(())
}

/// Both tokens and whose they are.
async fn answer(
    connection: &mut PgConnection,
    issuer: &Issuer,
    session: &str,
    refresh_token: &str,
    id: &str,
) -> Result<Value, Refusal> {
    let failed = || Refusal::database("error generating jwt token");
    let user = User::find(connection, Whom::Id(id)).await?;
    let user = user.ok_or_else(failed)?;
    let methods: Vec<(String, i64)> = sqlx::query_as(
        "select authentication_method, extract(epoch from updated_at)::bigint from auth.mfa_amr_claims \
         where session_id = $1::uuid order by updated_at desc",
    )
    .bind(session)
    .fetch_all(connection)
    .await
    .map_err(|_| failed())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.ok().and_then(|now| i64::try_from(now.as_secs()).ok());
    let now = now.ok_or_else(failed)?;
    let claims = access_claims(issuer, &user, session, &methods, now);
    let access_token = keys::sign(&claims.to_string()).map_err(|_| failed())?;
    Ok(json!({
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": issuer.expires_in,
        "expires_at": now + issuer.expires_in,
        "refresh_token": refresh_token,
        "user": user.shown(),
    }))
}

/// What an access token says.
fn access_claims(
    issuer: &Issuer,
    user: &User,
    session: &str,
    methods: &[(String, i64)],
    now: i64,
) -> Value {
    let mut claims = user.claims();
    claims["iss"] = issuer.name.as_str().into();
    claims["iat"] = now.into();
    claims["exp"] = (now + issuer.expires_in).into();
    claims["session_id"] = session.into();
    claims["aal"] = "aal1".into();
    claims["amr"] = methods
        .iter()
        .map(|(method, time)| json!({"method": method, "timestamp": time}))
        .collect();
    claims
}

/// Twelve letters and digits, of 60 random bits.
fn refresh_token(random: Uuid) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    // The lowest 62 bits of a version 4 are random.
    let mut bits = random.as_u128();
    let mut token = String::with_capacity(12);
    for _ in 0..12 {
        token.push(char::from(LETTERS[(bits & 31) as usize]));
        bits >>= 5;
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_look_like_those_of_the_platform() {
        let one = refresh_token(Uuid::from_u128(0x0fff_ffff_ffff_ffff));
        assert_eq!(one, "777777777777");
        assert_eq!(refresh_token(Uuid::nil()), "aaaaaaaaaaaa");
        let random = refresh_token(Uuid::new_v4());
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(random.len() == 12 && random.chars().all(known), "{random}");
        assert_ne!(random, refresh_token(Uuid::new_v4()));
    }

    #[test]
    fn a_scope_that_nobody_knows_ends_nothing() {
        assert_eq!(Scope::of(None), Ok(Scope::Global));
        assert_eq!(Scope::of(Some("others")), Ok(Scope::Others));
        assert!(Scope::of(Some("all")).is_err());
    }
}

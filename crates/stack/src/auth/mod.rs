//! Supabase Auth where no real one is: sign-up, sign-in with a password, guests, refresh, sign-out, and accounts that the shop
//! makes and deletes, over the calls that supabase-js makes and with the answers of the platform. The rows are the platform's.
//!
//! There is nothing here that needs a mail, a text message or somebody else's sign-in: who asks for that is told so (404).

mod admin;
mod refusal;
mod sessions;
mod users;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use axum::body::Body;
use axum::response::Response;
use hyper::header::{HeaderMap, USER_AGENT};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::gateway::json_response;
use crate::jwt::Refused;
use crate::project::AuthSettings;
use refusal::Refusal;
use sessions::{Issuer, Scope};
use users::{Changes, NewUser, Password, User, Whom};

/// The platform's bound for a body.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;
/// What bcrypt reads of a password.
const LONGEST_PASSWORD: usize = 72;
const DUPLICATE: &str = "A user with this email address has already been registered";

/// Signs people in.
pub(crate) struct Auth {
    pool: PgPool,
    settings: AuthSettings,
    issuer: Issuer,
}

/// A call, read as a whole.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// Behind `/auth/v1`.
    pub(crate) path: &'a str,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// What its bearer token says.
    pub(crate) caller: Option<Result<Value, Refused>>,
}

impl Auth {
    /// At the database with this address, behind the API with that one.
    pub(crate) fn new(db_url: &str, api_url: &str, settings: AuthSettings) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            // Triggers on accounts run with the rights that they have on the platform.
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection
                        .execute("set role supabase_auth_admin; set search_path = auth; set timezone = 'UTC'; set statement_timeout = '10s'")
                        .await?;
                    Ok(())
                })
            })
            .connect_lazy(db_url)?;
        let issuer = Issuer {
            name: format!("{api_url}/auth/v1"),
            expires_in: settings.jwt_expiry,
            reuse_interval: settings.refresh_token_reuse_interval,
        };
        Ok(Self {
            pool,
            settings,
            issuer,
        })
    }

    /// Answers a call.
    pub(crate) async fn answer(&self, call: &Call<'_>) -> Response {
        match self.dispatch(call).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(call.headers),
        }
    }

    async fn dispatch(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let segments: Vec<&str> = call.path.split('/').filter(|s| !s.is_empty()).collect();
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["health"]) => Ok(ok(&json!({
                "version": env!("CARGO_PKG_VERSION"), "name": "Interlock's local Auth",
                "description": "the part of Supabase Auth that needs no mail",
            }))),
            ("GET", ["settings"]) => Ok(ok(&self.shown_settings())),
            ("POST", ["signup"]) => self.sign_up(call).await,
            ("POST", ["token"]) => match call.query.get("grant_type").map(String::as_str) {
                Some("password") => self.sign_in(call).await,
                Some("refresh_token") => self.refresh(call).await,
                Some("pkce" | "id_token" | "web3") => Err(Refusal::not_here(
                    "The local stack signs in with a password or as a guest, and with nobody else's account.",
                )),
                _ => Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_credentials",
                    "unsupported_grant_type",
                )),
            },
            ("GET", ["user"]) => {
                let (user, _) = self.user_of(call).await?;
                Ok(ok(&user.shown()))
            }
            ("PUT", ["user"]) => self.update(call).await,
            ("POST", ["logout"]) => self.sign_out(call).await,
            (_, ["admin", rest @ ..]) => {
                require_admin(call)?;
                self.administer(call, rest).await
            }
            (
                _,
                [
                    "otp" | "magiclink" | "recover" | "resend" | "verify" | "reauthenticate"
                    | "invite",
                    ..,
                ],
            ) => Err(Refusal::not_here(
                "The local stack's Auth sends no mails and no text messages: sign up with a password, whose address is good at once, or make the account through the admin API.",
            )),
            (
                _,
                [
                    "authorize" | "callback" | "sso" | "factors" | "passkeys" | "oauth",
                    ..,
                ],
            )
            | (_, ["user", "identities" | "oauth", ..]) => Err(Refusal::not_here(
                "The local stack's Auth signs in with a password or as a guest: no other providers, and no second factor.",
            )),
            _ => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "not_found",
                format!(
                    "Auth has nothing for {} /{}.",
                    call.method,
                    segments.join("/")
                ),
            )),
        }
    }

    fn shown_settings(&self) -> Value {
        json!({
            "external": {
                "anonymous_users": self.settings.enable_anonymous_sign_ins,
                "email": true,
                "phone": false,
            },
            "disable_signup": !self.settings.enable_signup,
            "mailer_autoconfirm": true,
            "phone_autoconfirm": false,
            "sms_provider": "",
            "saml_enabled": false,
        })
    }

    async fn sign_up(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let params = Params::of(call)?;
        let email = params.text("email");
        if email.is_none() && params.text("phone").is_some() {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "phone_provider_disabled",
                "Phone signups are disabled",
            ));
        }
        if email.is_none() && !self.settings.enable_anonymous_sign_ins {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "anonymous_provider_disabled",
                "Anonymous sign-ins are disabled",
            ));
        }
        if !self.settings.enable_signup {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "signup_disabled",
                "Signups not allowed for this instance",
            ));
        }
        let mut user_metadata = params.object("data")?.unwrap_or_default();
        let id = Uuid::new_v4().to_string();
        let mut new = NewUser {
            id: id.clone(),
            ..NewUser::default()
        };
        let method = match email {
            None => {
                new.is_anonymous = true;
                new.app_metadata = json!({});
                sessions::Method::Anonymous
            }
            Some(_) => {
                let Some(password) = params.text("password") else {
                    return Err(Refusal::invalid("Signup requires a valid password"));
                };
                self.check_password(password)?;
                new.password = Password::Plain(password);
                new.app_metadata = by_email();
                // No mail has to be waited for.
                new.confirmed = true;
                user_metadata.insert("email_verified".to_owned(), true.into());
                sessions::Method::Password
            }
        };
        let email = email.map(checked_email).transpose()?;
        new.email = email.as_deref();
        new.user_metadata = Value::Object(user_metadata);
        let exists = || {
            Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "user_already_exists",
                "User already registered",
            )
        };
        let mut transaction = self.begin().await?;
        if let Some(email) = new.email
            && User::find(&mut transaction, Whom::Email(email))
                .await?
                .is_some()
        {
            return Err(exists());
        }
        User::make(&mut transaction, &new).await.map_err(|error| {
            match is_unique_violation(&error) {
                true => exists(),
                false => Refusal::database("Database error saving new user"),
            }
        })?;
        let agent = user_agent(call.headers);
        let session = sessions::begin(&mut transaction, &self.issuer, &id, method, agent).await?;
        commit(transaction).await?;
        Ok(ok(&session))
    }

    async fn sign_in(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let params = Params::of(call)?;
        let Some(email) = params.text("email") else {
            return Err(match params.text("phone") {
                Some(_) => Refusal::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "phone_provider_disabled",
                    "Phone logins are disabled",
                ),
                None => Refusal::invalid("missing email or phone"),
            });
        };
        let refused = |code, message: &str| Refusal::new(StatusCode::BAD_REQUEST, code, message);
        let wrong = || refused("invalid_credentials", "Invalid login credentials");
        let password = params.text("password").unwrap_or_default();
        let mut transaction = self.begin().await?;
        let user = User::find(&mut transaction, Whom::Email(email)).await?;
        let user = user.ok_or_else(wrong)?;
        if user.is_banned {
            return Err(refused("user_banned", "User is banned"));
        }
        if !user.has_password(&mut transaction, password).await? {
            return Err(wrong());
        }
        if !user.is_confirmed() {
            return Err(refused("email_not_confirmed", "Email not confirmed"));
        }
        let method = sessions::Method::Password;
        let agent = user_agent(call.headers);
        let session =
            sessions::begin(&mut transaction, &self.issuer, user.id(), method, agent).await?;
        commit(transaction).await?;
        Ok(ok(&session))
    }

    async fn refresh(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let params = Params::of(call)?;
        let token = params.text("refresh_token").unwrap_or_default();
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if token.len() != 12 || !token.bytes().all(known) {
            return Err(Refusal::invalid("Refresh token is not valid"));
        }
        let mut transaction = self.begin().await?;
        let outcome = sessions::refresh(&mut transaction, &self.issuer, token).await?;
        commit(transaction).await?;
        outcome.map(|session| ok(&session))
    }

    async fn update(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let (user, session) = self.user_of(call).await?;
        let params = Params::of(call)?;
        let password = params.text("password");
        let email = params.text("email").map(checked_email).transpose()?;
        let email = email.as_deref().filter(|email| *email != user.email());
        if let Some(password) = password {
            self.check_password(password)?;
        }
        if params.object("app_metadata")?.is_some() {
            return Err(Refusal::bad_token(
                "not_admin",
                "Updating app_metadata requires admin privileges",
            ));
        }
        if params.text("phone").is_some() {
            return Err(Refusal::not_here(
                "The local stack's Auth has no telephone numbers.",
            ));
        }
        if user.is_anonymous() && password.is_some() && email.is_none() {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "validation_failed",
                "Updating password of an anonymous user without an email or phone is not allowed",
            ));
        }
        let mut transaction = self.begin().await?;
        if let Some(email) = email {
            if User::find(&mut transaction, Whom::Email(email))
                .await?
                .is_some()
            {
                return Err(email_exists());
            }
            if !user.is_anonymous() {
                return Err(Refusal::not_here(
                    "The local stack's Auth sends no mails, so an account that has an address gets another one through the admin API.",
                ));
            }
        }
        if let Some(password) = password
            && user.has_password(&mut transaction, password).await?
        {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "same_password",
                "New password should be different from the old password.",
            ));
        }
        let data = params.object("data")?.map(Value::Object);
        let by_email = by_email();
        let changes = Changes {
            email,
            password,
            // A guest who gives an address has signed up: the platform waits for no mail either where it does not at a sign-up.
            confirm: email.is_some(),
            is_anonymous: email.map(|_| false),
            app_metadata: email.map(|_| &by_email),
            user_metadata: data.as_ref(),
            ..Changes::default()
        };
        let id = user.id();
        let failed = |error: sqlx::Error| match is_unique_violation(&error) {
            true => email_exists(),
            false => Refusal::database("Error updating user"),
        };
        changes.make(&mut transaction, id).await.map_err(failed)?;
        if let Some(email) = email {
            users::add_identity(&mut transaction, id, email, true, &json!({}))
                .await
                .map_err(failed)?;
        }
        if password.is_some() {
            let scope = match session {
                Some(_) => Scope::Others,
                None => Scope::Global,
            };
            sessions::end(&mut transaction, id, session.as_deref(), scope)
                .await
                .map_err(failed)?;
        }
        let user = self.again(&mut transaction, id).await?;
        commit(transaction).await?;
        Ok(ok(&user))
    }

    async fn sign_out(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let (user, session) = self.user_of(call).await?;
        let scope = Scope::of(call.query.get("scope").map(String::as_str))?;
        let mut transaction = self.begin().await?;
        sessions::end(&mut transaction, user.id(), session.as_deref(), scope)
            .await
            .map_err(|_| Refusal::database("Error logging out user"))?;
        commit(transaction).await?;
        let mut response = json_response(StatusCode::NO_CONTENT, &Value::Null);
        *response.body_mut() = Body::empty();
        Ok(response)
    }

    /// Whoever calls, and the session of their token if it names one.
    async fn user_of(&self, call: &Call<'_>) -> Result<(User, Option<String>), Refusal> {
        let claims = claims_of(call)?;
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        if text("sub").is_empty() {
            return Err(Refusal::bad_token(
                "bad_jwt",
                "invalid claim: missing sub claim",
            ));
        }
        let Ok(id) = Uuid::parse_str(text("sub")) else {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_jwt",
                "invalid claim: sub claim must be a UUID",
            ));
        };
        let mut connection = self.connection().await?;
        let user = User::find(&mut connection, Whom::Id(&id.to_string())).await?;
        let Some(user) = user else {
            return Err(Refusal::bad_token(
                "user_not_found",
                "User from sub claim in JWT does not exist",
            ));
        };
        let session = match text("session_id") {
            "" => None,
            given => Some(Uuid::parse_str(given).map_err(|_| {
                Refusal::bad_token("bad_jwt", "invalid claim: session_id claim must be a UUID")
            })?),
        };
        let session = session.filter(|session| !session.is_nil());
        if let Some(session) = session {
            let known: Option<bool> = sqlx::query_scalar(
                "select true from auth.sessions where id = $1::uuid and user_id = $2::uuid",
            )
            .bind(session.to_string())
            .bind(user.id())
            .fetch_optional(&mut *connection)
            .await
            .map_err(|_| Refusal::database("Database error querying schema"))?;
            if known.is_none() {
                return Err(Refusal::bad_token(
                    "session_not_found",
                    "Session from session_id claim in JWT does not exist",
                ));
            }
        }
        if user.is_banned {
            return Err(Refusal::bad_token("user_banned", "User is banned"));
        }
        Ok((user, session.map(|session| session.to_string())))
    }

    fn check_password(&self, password: &str) -> Result<(), Refusal> {
        let least = self.settings.minimum_password_length;
        if password.len() > LONGEST_PASSWORD {
            return Err(Refusal::invalid(format!(
                "Password cannot be longer than {LONGEST_PASSWORD} characters"
            )));
        }
        match password.len() < least {
            true => Err(Refusal::weak_password(least)),
            false => Ok(()),
        }
    }

    /// The account as it is after a change.
    async fn again(&self, connection: &mut PgConnection, id: &str) -> Result<Value, Refusal> {
        let user = User::find(connection, Whom::Id(id)).await?;
        user.map(|user| user.shown())
            .ok_or_else(|| Refusal::database("Database error loading user"))
    }

    async fn connection(&self) -> Result<sqlx::pool::PoolConnection<Postgres>, Refusal> {
        let connection = self.pool.acquire().await;
        connection.map_err(|_| Refusal::database("Database error querying schema"))
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, Refusal> {
        let transaction = self.pool.begin().await;
        transaction.map_err(|_| Refusal::database("Database error querying schema"))
    }
}

/// The members of a JSON body.
struct Params(Map<String, Value>);

impl Params {
    fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        match serde_json::from_slice(call.body) {
            Ok(Value::Object(params)) => Ok(Self(params)),
            Ok(_) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_json",
                "Could not parse request body as JSON: it is not an object",
            )),
            Err(error) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_json",
                format!("Could not parse request body as JSON: {error}"),
            )),
        }
    }

    /// A text that is not empty.
    fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object.clone())),
            Some(_) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_json",
                format!("Could not parse request body as JSON: {name} is not an object"),
            )),
        }
    }
}

fn claims_of<'a>(call: &'a Call<'_>) -> Result<&'a Value, Refusal> {
    match &call.caller {
        Some(Ok(claims)) => Ok(claims),
        Some(Err(refused)) => Err(Refusal::bad_token(
            "bad_jwt",
            match refused {
                Refused::Expired => {
                    "invalid JWT: unable to parse or verify signature, token has invalid claims: token is expired"
                }
                Refused::Invalid => {
                    "invalid JWT: unable to parse or verify signature, signature is invalid"
                }
            },
        )),
        None => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "no_authorization",
            "This endpoint requires a valid Bearer token",
        )),
    }
}

/// Only the shop's own server.
fn require_admin(call: &Call<'_>) -> Result<(), Refusal> {
    match claims_of(call)?["role"].as_str() {
        Some("service_role" | "supabase_admin") => Ok(()),
        _ => Err(Refusal::bad_token("not_admin", "User not allowed")),
    }
}

fn email_exists() -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "email_exists", DUPLICATE)
}

/// What the platform notes of somebody who came with an address.
fn by_email() -> Value {
    json!({"provider": "email", "providers": ["email"]})
}

/// An address that a mail could go to, in small letters.
fn checked_email(email: &str) -> Result<String, Refusal> {
    if email.len() > 255 {
        return Err(Refusal::invalid("An email address is too long"));
    }
    let well_formed = email.split_once('@').is_some_and(|(name, host)| {
        let plain = |c: char| !c.is_whitespace() && !c.is_control();
        let of_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        !name.is_empty()
            && name.chars().all(plain)
            && !host.is_empty()
            && host.chars().all(of_host)
            && host.split('.').all(|part| !part.is_empty())
    });
    match well_formed {
        true => Ok(email.to_lowercase()),
        false => Err(Refusal::invalid(
            "Unable to validate email address: invalid format",
        )),
    }
}

fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_unique_violation())
}

async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), Refusal> {
    let committed = transaction.commit().await;
    committed.map_err(|_| Refusal::database("Database error saving changes"))
}

fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, body)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

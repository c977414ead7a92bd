//! Accounts: rows of `auth.users` with their identities, as the platform keeps and shows them.

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::refusal::Refusal;

/// The instance of every account that Supabase Auth knows; a row with another one, or none, is not seen by it.
const INSTANCE: &str = "00000000-0000-0000-0000-000000000000";
/// The role and audience of everybody who signs up.
pub(super) const AUTHENTICATED: &str = "authenticated";

/// Times in the order in which the platform shows them; the ones that are not set are left out.
const TIMES: [&str; 11] = [
    "email_confirmed_at",
    "invited_at",
    "phone_confirmed_at",
    "confirmation_sent_at",
    "confirmed_at",
    "recovery_sent_at",
    "email_change_sent_at",
    "last_sign_in_at",
    "banned_until",
    "deleted_at",
    "reauthentication_sent_at",
];

/// An account with its identities.
#[derive(Debug)]
pub(super) struct User {
    row: Value,
    identities: Vec<Value>,
    pub(super) is_banned: bool,
}

/// An account to be made.
#[derive(Debug, Default)]
pub(super) struct NewUser<'a> {
    pub(super) id: String,
    pub(super) role: Option<&'a str>,
    pub(super) email: Option<&'a str>,
    pub(super) password: Password<'a>,
    pub(super) confirmed: bool,
    pub(super) app_metadata: Value,
    pub(super) user_metadata: Value,
    pub(super) is_anonymous: bool,
}

/// What somebody proves with who they are.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Password<'a> {
    /// Nothing: nobody signs in with a password.
    #[default]
    None,
    Plain(&'a str),
    /// As bcrypt makes it.
    Hash(&'a str),
}

/// Whom to look for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whom<'a> {
    Id(&'a str),
    Email(&'a str),
}

impl User {
    /// The account, if there is one.
    pub(super) async fn find(
        connection: &mut PgConnection,
        whom: Whom<'_>,
    ) -> Result<Option<Self>, Refusal> {
        let (condition, value) = match whom {
            Whom::Id(id) => ("u.id = $1::uuid", id.to_owned()),
            Whom::Email(email) => (
                "lower(u.email) = $1 and u.aud = 'authenticated' and not u.is_sso_user",
                email.to_lowercase(),
            ),
        };
        let sql = format!(
            "select jsonb_build_object('row', to_jsonb(u), 'banned', coalesce(u.banned_until > now(), false), \
             'identities', coalesce((select jsonb_agg(to_jsonb(i) order by i.created_at, i.id) from auth.identities i where i.user_id = u.id), '[]'))::text \
             from auth.users u where u.instance_id = '{INSTANCE}' and {condition}"
        );
        let found: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(value)
            .fetch_optional(connection)
            .await
            .map_err(|_| Refusal::database("Database error querying schema"))?;
        Ok(found.as_deref().and_then(Self::read))
    }

    /// A page of all accounts, the newest first, and how many there are.
    pub(super) async fn list(
        connection: &mut PgConnection,
        per_page: i64,
        offset: i64,
    ) -> sqlx::Result<(Vec<Self>, i64)> {
        let sql = format!(
            "select jsonb_build_object('row', to_jsonb(u), 'banned', false, \
             'identities', coalesce((select jsonb_agg(to_jsonb(i)) from auth.identities i where i.user_id = u.id), '[]'))::text \
             from auth.users u where u.instance_id = '{INSTANCE}' and u.aud = 'authenticated' \
             order by u.created_at desc, u.id limit $1 offset $2"
        );
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(per_page)
            .bind(offset)
            .fetch_all(&mut *connection)
            .await?;
        let sql = format!(
            "select count(*) from auth.users where instance_id = '{INSTANCE}' and aud = 'authenticated'"
        );
        let count = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(connection)
            .await?;
        let users = rows.iter().filter_map(|row| Self::read(row)).collect();
        Ok((users, count))
    }

    fn read(text: &str) -> Option<Self> {
        let mut whole: Value = serde_json::from_str(text).ok()?;
        Some(Self {
            row: whole["row"].take(),
            identities: match whole["identities"].take() {
                Value::Array(all) => all,
                _ => Vec::new(),
            },
            is_banned: whole["banned"] == true,
        })
    }

    /// Makes an account, with an identity if it has an address.
    pub(super) async fn make(connection: &mut PgConnection, new: &NewUser<'_>) -> sqlx::Result<()> {
        let (plain, hash) = match new.password {
            Password::None => (None, Some("")),
            Password::Plain(plain) => (Some(plain), None),
            Password::Hash(hash) => (None, Some(hash)),
        };
        let sql = format!(
            "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, \
               confirmation_token, recovery_token, email_change_token_new, email_change, raw_app_meta_data, \
               raw_user_meta_data, created_at, updated_at, is_anonymous) \
             values ('{INSTANCE}', $1::uuid, 'authenticated', $2, $3, \
               coalesce($4, extensions.crypt($5, extensions.gen_salt('bf', 10))), case when $6 then now() end, \
               '', '', '', '', $7::jsonb, $8::jsonb, now(), now(), $9)"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(&new.id)
            .bind(new.role.unwrap_or(AUTHENTICATED))
            .bind(new.email)
            .bind(hash)
            .bind(plain)
            .bind(new.confirmed)
            .bind(new.app_metadata.to_string())
            .bind(new.user_metadata.to_string())
            .bind(new.is_anonymous)
            .execute(&mut *connection)
            .await?;
        if let Some(email) = new.email {
            add_identity(connection, &new.id, email, false, &new.user_metadata).await?;
        }
        Ok(())
    }

    pub(super) fn id(&self) -> &str {
        self.row["id"].as_str().unwrap_or_default()
    }

    pub(super) fn email(&self) -> &str {
        self.row["email"].as_str().unwrap_or_default()
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.row["is_anonymous"] == true
    }

    pub(super) fn is_confirmed(&self) -> bool {
        !self.row["email_confirmed_at"].is_null()
    }

    /// Whether the password is theirs.
    pub(super) async fn has_password(
        &self,
        connection: &mut PgConnection,
        password: &str,
    ) -> Result<bool, Refusal> {
        // What is no hash of bcrypt's would be an error.
        let hash = self.row["encrypted_password"].as_str().unwrap_or_default();
        if !hash.starts_with("$2") {
            return Ok(false);
        }
        sqlx::query_scalar("select extensions.crypt($1, $2) = $2")
            .bind(password)
            .bind(hash)
            .fetch_one(connection)
            .await
            .map_err(|_| Refusal::database("Database error querying schema"))
    }

    /// As the platform shows it.
    pub(super) fn shown(&self) -> Value {
        let mut shown = Map::new();
        for name in ["id", "aud", "role", "email", "phone"] {
            shown.insert(
                name.to_owned(),
                self.row[name].as_str().unwrap_or_default().into(),
            );
        }
        for name in TIMES {
            if let Some(time) = self.row[name].as_str() {
                shown.insert(name.to_owned(), utc(time).into());
            }
        }
        for (name, column) in [
            ("app_metadata", "raw_app_meta_data"),
            ("user_metadata", "raw_user_meta_data"),
        ] {
            shown.insert(name.to_owned(), self.metadata(column));
        }
        let identities = self.identities.iter().map(|identity| {
            json!({
                "identity_id": identity["id"],
                "id": identity["provider_id"],
                "user_id": identity["user_id"],
                "identity_data": identity["identity_data"],
                "provider": identity["provider"],
                "last_sign_in_at": identity["last_sign_in_at"].as_str().map(utc),
                "created_at": identity["created_at"].as_str().map(utc),
                "updated_at": identity["updated_at"].as_str().map(utc),
                "email": identity["email"],
            })
        });
        shown.insert("identities".to_owned(), identities.collect());
        for name in ["created_at", "updated_at"] {
            // Rows of a seed may have none, which nobody's clock can read.
            let time = self.row[name].as_str().unwrap_or("0001-01-01T00:00:00Z");
            shown.insert(name.to_owned(), utc(time).into());
        }
        shown.insert("is_anonymous".to_owned(), self.is_anonymous().into());
        Value::Object(shown)
    }

    /// What a token says of them, before it is said for how long and in which session.
    pub(super) fn claims(&self) -> Value {
        json!({
            "sub": self.id(),
            "aud": self.row["aud"].as_str().unwrap_or(AUTHENTICATED),
            "role": self.row["role"].as_str().unwrap_or(AUTHENTICATED),
            "email": self.email(),
            "phone": self.row["phone"].as_str().unwrap_or_default(),
            "app_metadata": self.metadata("raw_app_meta_data"),
            "user_metadata": self.metadata("raw_user_meta_data"),
            "is_anonymous": self.is_anonymous(),
        })
    }

    fn metadata(&self, column: &str) -> Value {
        match &self.row[column] {
            Value::Null => json!({}),
            some => some.clone(),
        }
    }
}

/// The identity that an address is.
pub(super) async fn add_identity(
    connection: &mut PgConnection,
    user: &str,
    email: &str,
    verified: bool,
    user_metadata: &Value,
) -> sqlx::Result<()> {
    let mut data = match user_metadata {
        Value::Object(data) => data.clone(),
        _ => Map::new(),
    };
    for (name, value) in [
        ("sub", json!(user)),
        ("email", json!(email)),
        ("email_verified", json!(verified)),
        ("phone_verified", json!(false)),
    ] {
        data.insert(name.to_owned(), value);
    }
    sqlx::query(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at) \
         values ($1, $1::uuid, $2::jsonb, 'email', now(), now(), now()) \
         on conflict (provider_id, provider) do update \
         set identity_data = auth.identities.identity_data || jsonb_build_object('email', $3, 'email_verified', $4), updated_at = now()",
    )
    .bind(user)
    .bind(Value::Object(data).to_string())
    .bind(email)
    .bind(verified)
    .execute(connection)
    .await?;
    Ok(())
}

/// Changes to what is kept of an account; what is `None` stays.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    pub(super) role: Option<&'a str>,
    /// A new address, which is good at once.
    pub(super) email: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) confirm: bool,
    pub(super) app_metadata: Option<&'a Value>,
    pub(super) user_metadata: Option<&'a Value>,
    pub(super) is_anonymous: Option<bool>,
    /// Seconds; none for a ban that ends now.
    pub(super) ban: Option<Option<f64>>,
}

impl Changes<'_> {
    /// Makes them; members of the metadata that are null go.
    pub(super) async fn make(&self, connection: &mut PgConnection, id: &str) -> sqlx::Result<()> {
        const MERGE: &str = "(select coalesce(jsonb_object_agg(e.key, e.value), '{}') \
             from jsonb_each(coalesce(COLUMN, '{}') || coalesce($PLACE::jsonb, '{}')) e where e.value <> 'null')";
        let merge =
            |column: &str, place: &str| MERGE.replace("COLUMN", column).replace("PLACE", place);
        let sql = format!(
            "update auth.users u set updated_at = now(), role = coalesce($2, role), email = coalesce($3, email), \
             encrypted_password = case when $4::text is null then encrypted_password \
               else extensions.crypt($4, extensions.gen_salt('bf', 10)) end, \
             email_confirmed_at = case when $5 then coalesce(email_confirmed_at, now()) else email_confirmed_at end, \
             is_anonymous = coalesce($8, is_anonymous), \
             banned_until = case when $9 then now() + make_interval(secs => $10) else banned_until end, \
             raw_app_meta_data = {}, raw_user_meta_data = {} where u.id = $1::uuid",
            merge("u.raw_app_meta_data", "6"),
            merge("u.raw_user_meta_data", "7"),
        );
        let mut user_metadata = match self.user_metadata {
            Some(Value::Object(data)) => data.clone(),
            _ => Map::new(),
        };
        if self.confirm {
            user_metadata.insert("email_verified".to_owned(), true.into());
        }
        sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(self.role)
            .bind(self.email)
            .bind(self.password)
            .bind(self.confirm)
            .bind(self.app_metadata.map(Value::to_string))
            .bind(Value::Object(user_metadata).to_string())
            .bind(self.is_anonymous)
            .bind(self.ban.is_some())
            .bind(self.ban.flatten())
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// `2026-11-29T19:46:16.1+00:00` as Go writes it.
fn utc(time: &str) -> String {
    match time.strip_suffix("+00:00") {
        Some(time) => format!("{time}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;

//! Accounts that the shop's own server makes, reads, changes and deletes.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, LINK};
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusal::Refusal;
use super::sessions::{self, Scope};
use super::users::{self, Changes, NewUser, Password, User, Whom};
use super::{
    Auth, Call, Params, by_email, checked_email, commit, email_exists, is_unique_violation, ok,
};

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

impl Auth {
    pub(super) async fn administer(
        &self,
        call: &Call<'_>,
        segments: &[&str],
    ) -> Result<Response, Refusal> {
        match (call.method.as_str(), segments) {
            ("GET", ["users"]) => self.list_users(call).await,
            ("POST", ["users"]) => self.create_user(call).await,
            (method @ ("GET" | "PUT" | "DELETE"), ["users", id]) => {
                let Ok(id) = Uuid::parse_str(id) else {
                    return Err(Refusal::new(
                        StatusCode::NOT_FOUND,
                        "validation_failed",
                        "user_id must be an UUID",
                    ));
                };
                let id = id.to_string();
                let mut connection = self.connection().await?;
                let user = User::find(&mut connection, Whom::Id(&id)).await?;
                drop(connection);
                let user = user.ok_or_else(|| {
                    Refusal::new(StatusCode::NOT_FOUND, "user_not_found", "User not found")
                })?;
                match method {
                    "GET" => Ok(ok(&user.shown())),
                    "PUT" => self.update_user(call, &user).await,
                    _ => self.delete_user(call, &user).await,
                }
            }
            _ => Err(Refusal::not_here(
                "The local stack's Auth makes, lists, reads, changes and deletes accounts at /admin/users; it has no links, factors, audit log or providers to administer.",
            )),
        }
    }

    async fn list_users(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let number = |name: &str, usual: i64| match call.query.get(name).map(String::as_str) {
            None | Some("") => Ok(usual),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (1..=1_000_000).contains(number))
                .ok_or_else(|| {
                    Refusal::invalid(format!(
                        "Bad Pagination Parameters: {name} is not a number of one or more"
                    ))
                }),
        };
        let (page, per_page) = (number("page", 1)?, number("per_page", 50)?);
        let mut connection = self.connection().await?;
        let (users, count) = User::list(&mut connection, per_page, (page - 1) * per_page)
            .await
            .map_err(|_| Refusal::database("Database error finding users"))?;
        let users: Vec<Value> = users.iter().map(User::shown).collect();
        let mut response = ok(&json!({"users": users, "aud": users::AUTHENTICATED}));
        let headers = response.headers_mut();
        headers.insert(TOTAL_COUNT, HeaderValue::from(count));
        if let Ok(links) = HeaderValue::from_str(&links(page, per_page, count)) {
            headers.insert(LINK, links);
        }
        Ok(response)
    }

    async fn create_user(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let params = Params::of(call)?;
        let email = params.text("email").map(checked_email).transpose()?;
        let Some(email) = email.as_deref() else {
            return Err(Refusal::invalid(
                "Cannot create a user without either an email or phone",
            ));
        };
        let password = match (params.text("password"), params.text("password_hash")) {
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(
                    "Only a password or a password hash should be provided",
                ));
            }
            (Some(plain), None) if plain.len() > super::LONGEST_PASSWORD => {
                return Err(Refusal::invalid("bcrypt: password length exceeds 72 bytes"));
            }
            (Some(plain), None) => Password::Plain(plain),
            (None, Some(hash)) if hash.starts_with("$2") => Password::Hash(hash),
            (None, Some(_)) => {
                return Err(Refusal::not_here(
                    "The local stack's Auth takes hashes of bcrypt only.",
                ));
            }
            // The platform makes one up that it tells nobody.
            (None, None) => Password::None,
        };
        let id = match params.text("id") {
            None => Uuid::new_v4(),
            Some(id) => Uuid::parse_str(id)
                .map_err(|_| Refusal::invalid("ID must conform to the uuid v4 format"))?,
        };
        if id.is_nil() {
            return Err(Refusal::invalid("ID cannot be a nil uuid"));
        }
        let id = id.to_string();
        let ban = params.text("ban_duration").map(ban).transpose()?;
        let app_metadata = params.object("app_metadata")?.map(Value::Object);
        let user_metadata = params.object("user_metadata")?.unwrap_or_default();
        let mut transaction = self.begin().await?;
        if User::find(&mut transaction, Whom::Email(email))
            .await?
            .is_some()
        {
            return Err(email_exists());
        }
        let new = NewUser {
            id: id.clone(),
            role: params.text("role"),
            email: Some(email),
            password,
            app_metadata: by_email(),
            user_metadata: Value::Object(user_metadata),
            ..NewUser::default()
        };
        let failed = |error: sqlx::Error| match is_unique_violation(&error) {
            true => email_exists(),
            false => Refusal::database("Database error creating new user"),
        };
        User::make(&mut transaction, &new).await.map_err(failed)?;
        let changes = Changes {
            confirm: params.is_true("email_confirm"),
            app_metadata: app_metadata.as_ref(),
            ban,
            ..Changes::default()
        };
        changes.make(&mut transaction, &id).await.map_err(failed)?;
        let user = self.again(&mut transaction, &id).await?;
        commit(transaction).await?;
        Ok(ok(&user))
    }

    async fn update_user(&self, call: &Call<'_>, user: &User) -> Result<Response, Refusal> {
        let params = Params::of(call)?;
        let email = params.text("email").map(checked_email).transpose()?;
        let email = email.as_deref();
        let password = params.text("password");
        if let Some(password) = password {
            self.check_password(password)?;
        }
        if params.text("phone").is_some() {
            return Err(Refusal::not_here(
                "The local stack's Auth has no telephone numbers.",
            ));
        }
        let confirm = params.is_true("email_confirm");
        let app_metadata = params.object("app_metadata")?.map(Value::Object);
        let user_metadata = params.object("user_metadata")?.map(Value::Object);
        let changes = Changes {
            role: params.text("role"),
            email,
            password,
            confirm,
            app_metadata: app_metadata.as_ref(),
            user_metadata: user_metadata.as_ref(),
            is_anonymous: (email.is_some() && confirm).then_some(false),
            ban: params.text("ban_duration").map(ban).transpose()?,
        };
        let id = user.id();
        let failed = |error: sqlx::Error| match is_unique_violation(&error) {
            true => email_exists(),
            false => Refusal::database("Error updating user"),
        };
        let mut transaction = self.begin().await?;
        changes.make(&mut transaction, id).await.map_err(failed)?;
        if let Some(email) = email {
            users::add_identity(&mut transaction, id, email, confirm, &json!({}))
                .await
                .map_err(failed)?;
        }
        if password.is_some() {
            sessions::end(&mut transaction, id, None, Scope::Global)
                .await
                .map_err(failed)?;
        }
        let user = self.again(&mut transaction, id).await?;
        commit(transaction).await?;
        Ok(ok(&user))
    }

    /// What refers to the account goes with it, or holds it back, as its foreign keys say.
    async fn delete_user(&self, call: &Call<'_>, user: &User) -> Result<Response, Refusal> {
        if !call.body.is_empty() && Params::of(call)?.is_true("should_soft_delete") {
            return Err(Refusal::not_here(
                "The local stack's Auth deletes accounts for good; it keeps none as deleted.",
            ));
        }
        let mut transaction = self.begin().await?;
        sqlx::query("delete from auth.users where id = $1::uuid")
            .bind(user.id())
            .execute(&mut *transaction)
            .await
            .map_err(|_| Refusal::database("Database error deleting user"))?;
        commit(transaction).await?;
        Ok(ok(&json!({})))
    }
}

/// Where the next and the last page are.
fn links(page: i64, per_page: i64, count: i64) -> String {
    let last = count.div_euclid(per_page) + i64::from(count.rem_euclid(per_page) > 0);
    let link = |page: i64, rel: &str| {
        format!("</admin/users?page={page}&per_page={per_page}>; rel=\"{rel}\"")
    };
    let next = (last > page).then(|| format!("{}, ", link(page + 1, "next")));
    next.unwrap_or_default() + &link(last, "last")
}

/// Seconds of a duration as Go writes it, such as `24h` or `1h30m`; `none` ends a ban.
fn ban(text: &str) -> Result<Option<f64>, Refusal> {
    if text == "none" {
        return Ok(None);
    }
    let invalid = || Refusal::invalid(format!("invalid format for ban duration: {text:?}"));
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(end.ok_or_else(invalid)?);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let units = [
            ("ns", 1e-9),
            ("us", 1e-6),
            ("ms", 1e-3),
            ("h", 3600.0),
            ("m", 60.0),
            ("s", 1.0),
        ];
        let unit = units.iter().find(|(name, _)| tail.starts_with(name));
        let (name, length) = unit.ok_or_else(invalid)?;
        seconds += number * length;
        rest = &tail[name.len()..];
    }
    match seconds > 0.0 && seconds < 1e10 {
        true => Ok(Some(seconds)),
        false => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(ban("none"), Ok(None));
        assert_eq!(ban("24h"), Ok(Some(86_400.0)));
        assert_eq!(ban("1h30m5s"), Ok(Some(5_405.0)));
        assert_eq!(ban("1.5m"), Ok(Some(90.0)));
        assert_eq!(ban("250ms"), Ok(Some(0.25)));
        for bad in ["", "1", "h", "1d", "-1h", "1h ", "1..5h"] {
            assert!(ban(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pages_name_the_next_one_while_there_is_one() {
        assert!(links(1, 50, 51).starts_with("</admin/users?page=2&per_page=50>; rel=\"next\", "));
        assert_eq!(
            links(2, 50, 51),
            "</admin/users?page=2&per_page=50>; rel=\"last\""
        );
        assert_eq!(
            links(1, 50, 0),
            "</admin/users?page=0&per_page=50>; rel=\"last\""
        );
    }
}

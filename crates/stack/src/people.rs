//! The people of the local stack: those of `supabase/seed.sql`, and some of the shop, who can all sign in.
//!
//! Their password is known to everybody. So it is not in the seed, which could be pushed to a project on the platform, but set
//! here, when the stack starts.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use uuid::Uuid;

/// The password of all of them.
pub(crate) const PASSWORD: &str = "interlock";

/// Somebody with a short name on the command line.
#[derive(Debug)]
pub(crate) struct Person {
    /// The short name, before the @ of the address.
    pub(crate) name: &'static str,
    /// Their account.
    pub(crate) id: &'static str,
    /// What they are in the shop (`app_metadata.role`).
    pub(crate) role: Option<&'static str>,
}

/// All of them.
pub(crate) const PEOPLE: [Person; 7] = [
    Person {
        name: "buyer",
        id: "b0000000-0000-4000-8000-000000000001",
        role: None,
    },
    Person {
        name: "driver-a",
        id: "a0000000-0000-4000-8000-00000000000a",
        role: None,
    },
    Person {
        name: "driver-b",
        id: "a0000000-0000-4000-8000-00000000000b",
        role: None,
    },
    Person {
        name: "staff",
        id: "e0000000-0000-4000-8000-000000000001",
        role: Some("staff"),
    },
    Person {
        name: "manager",
        id: "e0000000-0000-4000-8000-000000000002",
        role: Some("manager"),
    },
    Person {
        name: "cashier",
        id: "e0000000-0000-4000-8000-000000000003",
        role: Some("cashier"),
    },
    Person {
        name: "packer",
        id: "e0000000-0000-4000-8000-000000000004",
        role: Some("packer"),
    },
];

/// What a token says of somebody.
#[derive(Debug, PartialEq)]
pub(crate) struct Account {
    /// Their id.
    pub(crate) id: String,
    /// Their address, if they have one.
    pub(crate) email: String,
    /// What the shop says of them.
    pub(crate) app_metadata: Value,
    /// What they say of themselves.
    pub(crate) user_metadata: Value,
    /// Whether they are a guest.
    pub(crate) is_anonymous: bool,
}

impl Account {
    /// Of one of the people by name, or of any id, without a look at who is there.
    pub(crate) fn of(user: &str) -> Result<Self> {
        let person = find(user);
        let id = match person {
            Some(person) => person.id.to_owned(),
            None => match Uuid::parse_str(user) {
                Ok(id) => id.to_string(),
                // What is wrong with it as a uuid tells nobody anything: mostly it is a name.
                Err(_) => bail!(
                    "there is no such user: {user:?} is neither an id nor one of {}. The address of an account is looked up \
                     only while the stack runs (`npm start`)",
                    names()
                ),
            },
        };
        let mut app_metadata = json!({"provider": "email", "providers": ["email"]});
        if let Some(role) = person.and_then(|person| person.role) {
            app_metadata["role"] = role.into();
        }
        Ok(Self {
            id,
            email: person.map(Person::email).unwrap_or_default(),
            app_metadata,
            user_metadata: json!({}),
            is_anonymous: false,
        })
    }

    /// Of somebody who has an account in this database, by short name, address or id.
    pub(crate) async fn look_up(db_url: &str, user: &str) -> Result<Self> {
        let options: PgConnectOptions = db_url.parse()?;
        let mut connection = PgConnection::connect_with(&options)
            .await
            .context("the stack's database does not answer")?;
        let name = find(user).map_or(user, |person| person.id);
        let found: Option<(String, String, String, String, bool)> = sqlx::query_as(
            "select id::text, coalesce(email, ''), coalesce(raw_app_meta_data, '{}')::text, \
             coalesce(raw_user_meta_data, '{}')::text, is_anonymous \
             from auth.users where id::text = lower($1) or lower(email) = lower($1)",
        )
        .bind(name)
        .fetch_optional(&mut connection)
        .await?;
        connection.close().await?;
        let Some((id, email, app, own, is_anonymous)) = found else {
            bail!(
                "there is no such user: {user:?} is neither the id nor the address of an account here. The seed has {}",
                names()
            );
        };
        Ok(Self {
            id,
            email,
            app_metadata: serde_json::from_str(&app)?,
            user_metadata: serde_json::from_str(&own)?,
            is_anonymous,
        })
    }
}

impl Person {
    /// The variable that has a token of theirs, such as `DRIVER_A`.
    pub(crate) fn variable(&self) -> String {
        self.name.to_uppercase().replace('-', "_")
    }

    /// With what they sign in.
    pub(crate) fn email(&self) -> String {
        format!("{}@example.com", self.name)
    }
}

/// Whoever has that short name, or that id.
pub(crate) fn find(name_or_id: &str) -> Option<&'static Person> {
    PEOPLE
        .iter()
        .find(|person| person.name == name_or_id || person.id.eq_ignore_ascii_case(name_or_id))
}

/// All short names.
pub(crate) fn names() -> String {
    PEOPLE.map(|person| person.name).join(", ")
}

/// Gives all of them an account with the password, unless they have one with another.
pub(crate) fn sql() -> String {
    let rows = PEOPLE.map(|person| {
        let role = person.role.map(|role| format!(r#", "role": "{role}""#));
        format!(
            r#"('{}'::uuid, '{}', '{{"provider": "email", "providers": ["email"]{}}}'::jsonb)"#,
            person.id,
            person.email(),
            role.unwrap_or_default(),
        )
    });
    format!(
        "with people (id, email, app) as (values {rows}),
         -- Made once for all who need it: it takes its time.
         made as materialized (
           select extensions.crypt('{PASSWORD}', extensions.gen_salt('bf', 10)) as hash
           where exists (
             select from people p left join auth.users u using (id)
             where coalesce(u.encrypted_password, '') = ''
           )
         ),
         users as (
           insert into auth.users as u (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token,
             recovery_token, email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
           select '00000000-0000-0000-0000-000000000000', p.id, 'authenticated', 'authenticated', p.email, m.hash, now(), '', '', '',
             '', p.app, '{{\"email_verified\": true}}', now(), now()
           from people p cross join made m
           -- Whoever signed up with the address before keeps it.
           where not exists (select from auth.users o where lower(o.email) = p.email and o.id <> p.id)
           on conflict (id) do update
           set instance_id = excluded.instance_id,
               encrypted_password = excluded.encrypted_password,
               email_confirmed_at = excluded.email_confirmed_at,
               confirmation_token = '', recovery_token = '', email_change_token_new = '', email_change = '',
               raw_app_meta_data = excluded.raw_app_meta_data || coalesce(u.raw_app_meta_data, '{{}}'),
               raw_user_meta_data = excluded.raw_user_meta_data || coalesce(u.raw_user_meta_data, '{{}}')
           where coalesce(u.encrypted_password, '') = ''
           returning u.id, u.email
         )
         insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
         select id, id, jsonb_build_object('sub', id, 'email', email, 'email_verified', true, 'phone_verified', false), 'email',
           now(), now(), now()
         from users
         on conflict (provider_id, provider) do nothing",
        rows = rows.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_their_name_and_by_their_id() {
        let staff = find("staff").unwrap();
        assert_eq!(staff.email(), "staff@example.com");
        assert_eq!(
            find(&staff.id.to_uppercase()).map(|p| p.name),
            Some("staff")
        );
        assert!(find("nobody").is_none());
        assert!(names().starts_with("buyer, driver-a"));
        assert_eq!(
            find("driver-a").map(Person::variable).as_deref(),
            Some("DRIVER_A")
        );
    }

    #[test]
    fn who_is_nobody_is_told_so_in_one_sentence_and_who_can_be_asked_for() {
        let error = Account::of("nobody").unwrap_err();
        let said = format!("{error:#}");
        assert!(
            said.starts_with(
                "there is no such user: \"nobody\" is neither an id nor one of buyer, driver-a"
            ),
            "{said}"
        );
        assert!(!said.contains("invalid character"), "{said}");
        let id = "0B000000-0000-4000-8000-000000000009";
        assert_eq!(Account::of(id).unwrap().id, id.to_lowercase());
    }

    #[test]
    fn a_role_is_only_in_the_metadata_of_who_has_one() {
        let sql = sql();
        assert!(sql.contains(r#"["email"], "role": "cashier"}'"#), "{sql}");
        assert!(
            sql.contains(r#"'buyer@example.com', '{"provider": "email", "providers": ["email"]}'"#)
        );
    }
}

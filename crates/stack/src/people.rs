//! The people of the local stack: those of `supabase/seed.sql`, and some of the shop, who can all sign in.
//!
//! Their password is known to everybody. So it is not in the seed, which could be pushed to a project on the platform, but set
//! here, when the stack starts.

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

const PEOPLE: [Person; 7] = [
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

impl Person {
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

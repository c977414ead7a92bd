//! How accounts are shown, and what their tokens say; no database is asked.

use super::*;

fn user(row: Value) -> User {
    let whole = json!({"row": row, "banned": false, "identities": [{
        "id": "i", "provider_id": "u", "user_id": "u", "identity_data": {"email": "a@b.example"}, "provider": "email",
        "last_sign_in_at": null, "created_at": "2026-01-01T00:00:00+00:00", "updated_at": null, "email": "a@b.example",
    }]});
    User::read(&whole.to_string()).unwrap()
}

#[test]
fn a_user_is_shown_without_secrets_and_without_what_is_not_set() {
    let shown = user(json!({
        "id": "u", "aud": "authenticated", "role": "authenticated", "email": "a@b.example", "phone": null,
        "encrypted_password": "$2a$10$x", "confirmation_token": "", "email_confirmed_at": "2026-01-01T00:00:00.5+00:00",
        "raw_app_meta_data": {"role": "staff"}, "raw_user_meta_data": null, "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:00:00+00:00", "is_anonymous": false, "banned_until": null,
    }))
    .shown();
    assert_eq!(shown["email_confirmed_at"], "2026-01-01T00:00:00.5Z");
    assert_eq!(
        (&shown["phone"], &shown["user_metadata"]),
        (&json!(""), &json!({}))
    );
    assert_eq!(shown["app_metadata"]["role"], "staff");
    let identity = &shown["identities"][0];
    assert_eq!(
        (&identity["identity_id"], &identity["id"]),
        (&json!("i"), &json!("u"))
    );
    assert!(shown.get("banned_until").is_none());
    assert!(!shown.to_string().contains("$2a$"), "{shown}");
    assert!(!shown.to_string().contains("token"), "{shown}");
}

#[test]
fn the_claims_of_a_guest_are_those_of_the_platform() {
    let guest = user(json!({
        "id": "u", "aud": "authenticated", "role": "authenticated", "email": null, "is_anonymous": true,
    }));
    assert_eq!(
        guest.claims(),
        json!({
            "sub": "u", "aud": "authenticated", "role": "authenticated", "email": "", "phone": "",
            "app_metadata": {}, "user_metadata": {}, "is_anonymous": true,
        })
    );
}

//! What is decided before the database is asked.

use super::*;

fn wished(method: Method, path: &str, headers: &HeaderMap) -> Result<Wish, Refusal> {
    wish(&Call {
        method: &method,
        path,
        query: BTreeMap::new(),
        headers,
        caller: None,
    })
}

#[test]
fn the_calls_of_supabase_js_are_understood() {
    let none = HeaderMap::new();
    let upsert = HeaderMap::from_iter([(
        HeaderName::from_static("x-upsert"),
        HeaderValue::from_static("true"),
    )]);
    let (bucket, name) = ("b".to_owned(), "a/b c.pdf".to_owned());
    let at = || (bucket.clone(), name.clone());
    let upload = |upsert| Wish::Upload {
        bucket: bucket.clone(),
        name: name.clone(),
        upsert,
    };
    assert_eq!(
        wished(Method::POST, "/object/b/a/b%20c.pdf", &none),
        Ok(upload(false))
    );
    assert_eq!(
        wished(Method::POST, "/object/b/a/b%20c.pdf", &upsert),
        Ok(upload(true))
    );
    assert_eq!(
        wished(Method::PUT, "/object/b/a/b%20c.pdf", &none),
        Ok(upload(true))
    );
    let (bucket, name) = at();
    for path in [
        "/object/b/a/b%20c.pdf",
        "/object/authenticated/b/a/b%20c.pdf",
    ] {
        let (bucket, name) = at();
        assert_eq!(
            wished(Method::GET, path, &none),
            Ok(Wish::Download { bucket, name })
        );
    }
    assert_eq!(
        wished(Method::GET, "/object/sign/b/a/b%20c.pdf", &none),
        Ok(Wish::DownloadSigned { bucket, name })
    );
    let (bucket, name) = at();
    assert_eq!(
        wished(Method::DELETE, "/object/b/a/b%20c.pdf", &none),
        Ok(Wish::RemoveOne { bucket, name })
    );
    let bucket = || "b".to_owned();
    for (method, path, wish) in [
        (
            Method::POST,
            "/object/sign/b",
            Wish::SignMany { bucket: bucket() },
        ),
        (
            Method::POST,
            "/object/list/b",
            Wish::List { bucket: bucket() },
        ),
        (
            Method::DELETE,
            "/object/b",
            Wish::Remove { bucket: bucket() },
        ),
        (Method::GET, "/bucket/b", Wish::Bucket { bucket: bucket() }),
        (Method::GET, "/bucket", Wish::Buckets),
        (Method::POST, "/bucket", Wish::MakeBucket),
    ] {
        assert_eq!(wished(method, path, &none), Ok(wish), "{path}");
    }
}

#[test]
fn what_is_not_here_says_so_and_a_name_that_is_none_is_refused() {
    let none = HeaderMap::new();
    for (method, path) in [
        (Method::POST, "/object/copy"),
        (Method::POST, "/object/move"),
        (Method::POST, "/object/upload/sign/b/a"),
        (Method::POST, "/upload/resumable"),
        (Method::GET, "/render/image/authenticated/b/a"),
        (Method::DELETE, "/bucket/b"),
        (Method::GET, "/"),
    ] {
        let refusal = wished(method, path, &none).unwrap_err();
        assert_eq!(refusal, Refusal::not_here(NOT_HERE), "{path}");
    }
    for path in [
        "/object/b",
        "/object/b/",
        "/object/b/%c3%a4.pdf",
        "/object/b/a%0ab",
    ] {
        let refusal = wished(Method::POST, path, &none).unwrap_err();
        assert_eq!(refusal.status, 400, "{path}");
    }
}

#[test]
fn an_address_is_good_for_one_file_and_for_its_time() {
    let token = |address: String| address.split_once("?token=").unwrap().1.to_owned();
    let address = sign("b", "a/x.pdf", 60).unwrap();
    assert!(address.starts_with("/object/sign/b/a/x.pdf?token="));
    let token_of_x = token(address);
    assert!(verify(&token_of_x, "b", "a/x.pdf").unwrap() > now());
    assert!(verify(&token_of_x, "b", "a/y.pdf").is_err());
    assert!(verify(&token_of_x, "c", "a/x.pdf").is_err());
    let old = token(sign("b", "x", -1).unwrap());
    assert!(verify(&old, "b", "x").is_err());
    // A user's token is signed by another key, and so is ours to whoever reads those.
    let user = crate::keys::sign(r#"{"url":"b/x","scope":"download","exp":9999999999}"#).unwrap();
    assert!(verify(&user, "b", "x").is_err());
    let keys = crate::jwt::KeySet::new(crate::keys::JWT_SECRET, None).unwrap();
    assert!(keys.verify(&token_of_x).is_err());
}

#[test]
fn a_version_is_a_file_of_ours_or_none() {
    let folder = std::env::temp_dir().join(format!("interlock-{}", Uuid::new_v4()));
    let storage = PgPoolOptions::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let pool = storage
            .connect_lazy("postgres://nobody@127.0.0.1:1/none")
            .unwrap();
        let storage = Storage {
            pool,
            folder: folder.clone(),
        };
        let id = Uuid::new_v4().to_string();
        assert_eq!(storage.path(&id), Some(folder.join(&id)));
        for bad in ["", "1", "../x", "/etc/passwd"] {
            assert_eq!(storage.path(bad), None, "{bad:?}");
        }
    });
}

#[test]
fn the_name_of_a_download_cannot_end_its_header() {
    assert_eq!(disposition(""), "attachment;");
    let named = disposition("a \"b\"\r\n;ä.pdf");
    assert_eq!(
        named,
        "attachment; filename=a%20%22b%22%0D%0A%3B%C3%A4.pdf; filename*=UTF-8''a%20%22b%22%0D%0A%3B%C3%A4.pdf"
    );
}

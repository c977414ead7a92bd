//! `cargo xtask console`: the console as files that any host can serve, against a project of one's own.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::repo::Repo;
use crate::{build, ensure as installation};

/// What is copied as it was built; the page itself says more here.
const FILES: [&str; 4] = ["console.js", "console.wasm", "start.js", "style.css"];

/// Behind which line the page says what it may load.
const HEAD: &str = "<meta charset=\"utf-8\">\n";

/// Which project, and where to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the project's API is, as https://REF.supabase.co.
    #[arg(long, value_name = "URL")]
    url: String,
    /// Its publishable key, or the legacy anon key. Everybody who loads the page can read it.
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Where a read replica's API is, as https://REF-rr-REGION-ID.supabase.co: lists are read there.
    #[arg(long, value_name = "URL")]
    replica: Option<String>,
    /// The folder that is written.
    #[arg(long, value_name = "DIR", default_value = "console")]
    out: PathBuf,
}

/// Writes the files.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    let origin = self::origin("--url", &args.url)?;
    let replica = args.replica.as_deref();
    let replica = replica
        .map(|url| self::origin("--replica", url))
        .transpose()?;
    refuse_secret(&args.key)?;
    installation::run_all(repo)?;
    println!("{}", build::console(repo, false)?.describe());
    let dist = repo.root.join("crates/console/dist");
    let out = &args.out;
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let write = |name: &str, text: &[u8]| {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    for name in FILES {
        write(name, &fs::read(dist.join(name))?)?;
    }
    let policy = policy(&origin, replica.as_deref());
    let page = fs::read_to_string(dist.join("index.html"))?;
    write("index.html", with_policy(&page, &policy)?.as_bytes())?;
    let rest = replica.map(|origin| format!("{origin}/rest/v1"));
    let config = json!({ "url": origin, "key": args.key, "replica": rest, "lab": false });
    write("config.json", format!("{config}\n").as_bytes())?;
    write("_headers", headers(&policy).as_bytes())?;
    println!(
        "The console of {origin} is in {}. Any host of static files can serve it; sign in with an account whose app_metadata.role is staff.",
        out.display()
    );
    Ok(())
}

/// The URL that an option gives without what is behind the host; it goes into a policy and a page.
fn origin(option: &str, url: &str) -> Result<String> {
    let origin = url.trim_end_matches('/');
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"))
        .with_context(|| format!("{option} {url}: begins with neither https:// nor http://"))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    ensure!(
        !host.is_empty() && host.bytes().all(is_plain),
        "{option} {url}: give the project's own URL, as https://REF.supabase.co"
    );
    Ok(origin.to_owned())
}

/// A key that passes row security must not lie on a web server.
fn refuse_secret(key: &str) -> Result<()> {
    let payload = key
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    let is_secret = key.starts_with("sb_secret_")
        || claims.is_some_and(|claims| claims["role"] == "service_role");
    if is_secret {
        bail!(
            "--key is a secret key, and everybody could read it: give the publishable (or anon) key"
        );
    }
    ensure!(
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()),
        "--key has characters that no header can carry"
    );
    Ok(())
}

/// Nothing but its own files, the project, and its replica.
fn policy(origin: &str, replica: Option<&str>) -> String {
    let replica = replica
        .map(|origin| format!(" {origin}"))
        .unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self' {origin}{replica}; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
}

/// The page with its policy in it, for hosts that send no headers of one's own.
fn with_policy(page: &str, policy: &str) -> Result<String> {
    let (before, after) = page
        .split_once(HEAD)
        .context("index.html has no line that says its charset")?;
    Ok(format!(
        "{before}{HEAD}    <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n{after}"
    ))
}

/// The same as a file that several hosts read (Netlify, Cloudflare), with what a page cannot say itself.
fn headers(policy: &str) -> String {
    format!(
        "/*\n  Content-Security-Policy: {policy}; frame-ancestors 'none'\n  X-Content-Type-Options: nosniff\n  Referrer-Policy: no-referrer\n  \
         Cross-Origin-Opener-Policy: same-origin\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_is_refused() {
        let token = |role: &str| {
            let payload = URL_SAFE_NO_PAD.encode(json!({ "role": role }).to_string());
            format!("e30.{payload}.c2ln")
        };
        for key in ["sb_secret_x", &token("service_role"), "", "a b", "ä"] {
            assert!(refuse_secret(key).is_err(), "{key}");
        }
        for key in ["sb_publishable_x", &token("anon")] {
            assert!(refuse_secret(key).is_ok(), "{key}");
        }
    }

    #[test]
    fn a_url_is_a_projects_own() {
        let of = |url| origin("--url", url).ok();
        assert_eq!(
            of("https://x.supabase.co/").as_deref(),
            Some("https://x.supabase.co")
        );
        assert_eq!(
            of("http://127.0.0.1:54321").as_deref(),
            Some("http://127.0.0.1:54321")
        );
        for url in [
            "x.supabase.co",
            "https://",
            "https://x; script-src *",
            "https://x/rest",
            "https://\"x",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn the_page_says_what_it_may_load() {
        let page = include_str!("../../console/static/index.html");
        let policy = |replica| policy("https://x.supabase.co", replica);
        let page = with_policy(page, &policy(None)).expect("a charset");
        assert!(page.contains("connect-src 'self' https://x.supabase.co;"));
        let replica = policy(Some("https://x-rr.supabase.co"));
        assert!(
            replica.contains("connect-src 'self' https://x.supabase.co https://x-rr.supabase.co;")
        );
        assert!(!page.contains("unsafe-inline"));
    }
}

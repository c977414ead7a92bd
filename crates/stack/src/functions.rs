//! Edge functions: one Deno process each, with the environment and the network that the
//! platform gives, and nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::dirs::Dirs;
use crate::part::{Part, Spec};
use crate::project::{Function, Project};
use crate::{envfile, keys, mail, npm, ports, redis, stripe};

/// The function that calls whatever hosts the shop's endpoints have.
const SENDS_ANYWHERE: &str = "deliver";

/// What every function is told.
pub(crate) struct Platform {
    deno: PathBuf,
    env: Vec<(String, String)>,
    /// The hosts that the others may call.
    net: String,
}

impl Platform {
    /// `jwks` is the public key set; `api_port` the gateway's, `stripe` and `mail` the ports of the stand-ins and
    /// `redis` that of the front of Redis, if there is one.
    pub(crate) fn new(
        project: &Project,
        api_port: u16,
        db_url: String,
        jwks: String,
        stripe: Option<u16>,
        mail: Option<u16>,
        redis: Option<u16>,
    ) -> Result<Self> {
        let api = format!("127.0.0.1:{api_port}");
        let mut env: Vec<(String, String)> = envfile::settings(&project.root)?;
        if let Some(port) = stripe {
            env.extend(stripe::variables(port));
        }
        if let Some(port) = mail {
            env.extend(mail::variables(port));
        }
        let mut net = api.clone();
        if env.iter().any(|(name, _)| name == "STRIPE_SECRET_KEY") {
            let url = env.iter().rev().find(|(name, _)| name == "STRIPE_API_URL");
            let url = url.map_or("https://api.stripe.com", |(_, url)| url);
            let host = url.split('/').nth(2).unwrap_or_default();
            net = format!("{net},{host}");
        }
        for (name, value) in redis.into_iter().flat_map(redis::variables) {
            // A project's own settings come first.
            if !env.iter().any(|(known, _)| *known == name) {
                env.push((name, value));
            }
        }
        if let Some((_, url)) = env.iter().find(|(name, _)| name == "INTERLOCK_LOCK_URL") {
            let host = url.split('/').nth(2).unwrap_or_default();
            net = format!("{net},{host}");
        }
        let named = |key: &str| json!({ "default": key }).to_string();
        env.extend(
            [
                ("SUPABASE_URL", format!("http://{api}")),
                ("SUPABASE_ANON_KEY", keys::anon_key()?),
                ("SUPABASE_SERVICE_ROLE_KEY", keys::service_role_key()?),
                ("SUPABASE_DB_URL", db_url),
                ("SUPABASE_PUBLISHABLE_KEYS", named(keys::PUBLISHABLE_KEY)),
                ("SUPABASE_SECRET_KEYS", named(keys::SECRET_KEY)),
                ("SUPABASE_JWKS", jwks),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(Self {
            deno: deno(&project.root)?,
            env,
            net,
        })
    }

    /// One function as a part that will listen on `port`.
    pub(crate) fn spec(&self, function: &Function, dirs: &Dirs, port: u16) -> Result<Spec> {
        let entrypoint = function.entrypoint.canonicalize().with_context(|| {
            format!(
                "the function {} has no file {}",
                function.name,
                function.entrypoint.display()
            )
        })?;
        let mut spec = Spec::new(&function.name, self.deno.clone(), dirs)
            .args([
                "serve",
                "--quiet",
                "--no-prompt",
                "--cached-only",
                "--no-lock",
            ])
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .arg_text(if function.name == SENDS_ANYWHERE {
                "--allow-net".to_owned()
            } else {
                format!("--allow-net={}", self.net)
            })
            // The environment holds what the platform gives and no more, and there a name
            // that is not set reads as undefined: no list of names could say that.
            .args(["--allow-env"]);
        spec = match config(function, &entrypoint) {
            Some((flag, path)) => spec.args([flag.as_ref(), path.as_os_str()]),
            None => spec.args(["--no-config"]),
        };
        spec = spec.args([&entrypoint]);
        spec.cwd = entrypoint
            .parent()
            .map_or_else(|| dirs.base.clone(), Path::to_path_buf);
        spec.echo = true;
        spec.env.extend(self.env.iter().cloned());
        Ok(spec
            .env("DENO_DIR", dirs.base.join("deno").to_string_lossy())
            .env("DENO_NO_UPDATE_CHECK", "1")
            // The repository's package.json is for tools, not for functions.
            .env("DENO_NO_PACKAGE_JSON", "1")
            .env("NO_COLOR", "1"))
    }
}

/// Waits until a function listens, which it does once its modules are loaded.
pub(crate) async fn ready(part: &Part, port: u16) -> Result<()> {
    part.ready(Duration::from_secs(60), async || ports::accepts(port).await)
        .await
        .context("a function did not start; if a generated file is missing, run `npm run build`")
}

fn config(function: &Function, entrypoint: &Path) -> Option<(&'static str, PathBuf)> {
    let is_config = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name == "deno.json" || name == "deno.jsonc")
    };
    if let Some(path) = &function.import_map {
        let flag = if is_config(path) {
            "--config"
        } else {
            "--import-map"
        };
        return Some((flag, path.clone()));
    }
    // The CLI finds it there without being told.
    let beside = entrypoint.with_file_name("deno.json");
    beside.is_file().then_some(("--config", beside))
}

/// The native program: npm's wrapper would be one more process to stop.
fn deno(root: &Path) -> Result<PathBuf> {
    let modules = root.join("node_modules");
    let mut candidates: Vec<PathBuf> = npm::platforms()
        .iter()
        .map(|platform| modules.join(format!("@deno/{platform}/deno")))
        .collect();
    candidates.push(modules.join("deno/deno"));
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(deno) => Ok(deno),
        None => bail!(
            "there is no Deno in {}; run `npm install` first",
            modules.display()
        ),
    }
}

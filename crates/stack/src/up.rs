//! The subcommand `up`: starts the parts in order, watches them, stops them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::auth::Auth;
use crate::console::{self, Console};
use crate::dirs::Dirs;
use crate::gateway::{Gateway, Upstream};
use crate::jwt::KeySet;
use crate::part::{Ended, Part, Spec};
use crate::platform::{self, DefaultPrivileges};
use crate::ports::{self, Port};
use crate::postgres::{self, Postgres};
use crate::progress::{Output, Step, say};
use crate::project::Project;
use crate::realtime::Realtime;
use crate::restart::Restarts;
use crate::status::{Format, Status};
use crate::storage::{self, Storage};
use crate::stripe::{self, Stripe};
use crate::{
    api, envfile, examples, functions, keys, mail, people, pgbouncer, push, redis, replica,
};

/// What a database that was here before its Storage lacks.
const PREPARE_STORAGE: &str = "do $$
begin
  if to_regprocedure('interlock.prepare_storage()') is not null
    and not exists (select from storage.buckets where id = 'payment-proofs')
  then
    perform interlock.prepare_storage();
  end if;
end
$$";

/// Arguments of `up`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The port of the gateway; 0 picks a free one.
    #[arg(long, env = "INTERLOCK_API_PORT", default_value_t = 54321)]
    api_port: u16,
    /// The port of Postgres; 0 picks a free one.
    #[arg(long, env = "INTERLOCK_DB_PORT", default_value_t = 54322)]
    db_port: u16,
    /// The port of the console, whose race lab has a schema of its own in the database; 0 picks a free one. A stack on any
    /// free port has none unless it is asked for here.
    #[arg(long, env = "INTERLOCK_CONSOLE_PORT")]
    console_port: Option<u16>,
    /// Start over with an empty database.
    #[arg(long)]
    fresh: bool,
    /// Print one line of JSON on stdout when ready, and nothing else.
    #[arg(long)]
    json: bool,
    /// Do not load the seed.
    #[arg(long)]
    no_seed: bool,
    /// Without Storage: nobody uploads files, and no proof of payment has to be one.
    #[arg(long)]
    no_storage: bool,
    /// What API roles may do with new objects in `public`.
    #[arg(long, value_enum, default_value_t)]
    default_privileges: DefaultPrivileges,
    /// A JWK set whose keys may sign tokens too (ES256, RS256).
    #[arg(long, env = "INTERLOCK_JWKS", hide_env_values = true)]
    jwks: Option<String>,
    /// Start a part again that ends by itself, instead of stopping the rest.
    #[arg(long)]
    restart: bool,
    /// The port of the stand-in for Stripe, which is there unless STRIPE_SECRET_KEY is set; 0 picks a free one.
    #[arg(long, env = "INTERLOCK_STRIPE_PORT")]
    stripe_port: Option<u16>,
    /// The port of the stand-in for Resend, which is there unless RESEND_API_KEY is set; 0 picks a free one.
    #[arg(long, env = "INTERLOCK_MAIL_PORT")]
    mail_port: Option<u16>,
    /// What else to start: a Redis behind Upstash's protocol, for the admission gate; a PgBouncer between the API and the
    /// database; a replica of the database with an API that only reads.
    #[arg(long, value_enum, value_delimiter = ',')]
    with: Vec<With>,
    /// Let tests choose how the gateway answers.
    #[arg(long, hide = true)]
    inject_faults: bool,
    /// The port at which the API finds the database: a proxy of a test stands there.
    #[arg(long, hide = true)]
    api_finds_db_at: Option<u16>,
    /// The port at which the functions find the gateway: a proxy of a test stands there.
    #[arg(long, hide = true)]
    functions_find_api_at: Option<u16>,
    /// The port at which the replica finds the database: a proxy of a test stands there.
    #[arg(long, hide = true)]
    replica_finds_db_at: Option<u16>,
    /// Settings that the database has from its start, as NAME=VALUE.
    #[arg(long, hide = true)]
    db_setting: Vec<String>,
    /// How many connections the API has.
    #[arg(long, hide = true, default_value_t = api::POOL)]
    api_pool: u16,
}

/// What not everybody needs.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Redis,
    Pgbouncer,
    Replica,
}

/// Runs the stack until a signal (exit code 0) or until a part ends (1).
pub(crate) async fn run(root: Option<PathBuf>, dir: PathBuf, args: Args) -> Result<i32> {
    let mut signals = Signals::new()?;
    let project = Project::find(root.as_deref())?;
    let dirs = Dirs::new(&project.root, &dir);
    dirs.create()?;
    let Some(_lock) = dirs.try_lock()? else {
        return Err(already_running(&dirs));
    };
    // Left behind by a run that was killed.
    let _ = std::fs::remove_file(dirs.status_file());
    dirs.wait_for_old_parts().await?;

    let mut stack = Stack::new(
        dirs,
        if args.json {
            Output::Stderr
        } else {
            Output::Stdout
        },
    );
    let outcome = tokio::select! {
        started = stack.start(&project, &args) => match started {
            Ok(()) => {
                tokio::select! {
                    error = stack.watch(args.restart) => Err(error),
                    () = signals.any() => Ok(0),
                }
            }
            Err(error) => Err(error),
        },
        () = signals.any() => Ok(0),
    };
    if outcome.is_ok() {
        say("Stopping …");
    }
    stack.stop().await;
    outcome
}

fn already_running(dirs: &Dirs) -> anyhow::Error {
    match Status::read(dirs) {
        Some(status) => {
            let pid = status.pids.get("supervisor").copied().unwrap_or_default();
            let database = status.variables.get("DB_URL").map_or("", String::as_str);
            anyhow::anyhow!(
                "a stack already runs in {} (process {pid}): {} and {database}. Use it, stop it, or choose another --dir",
                dirs.base.display(),
                status.api_url(),
            )
        }
        None => anyhow::anyhow!(
            "another stack is starting or stopping in {}; wait for it, or choose another --dir",
            dirs.base.display()
        ),
    }
}

/// The place of Postgres among the parts.
const DATABASE: usize = 0;

struct Stack {
    dirs: Dirs,
    output: Output,
    reports: mpsc::UnboundedReceiver<Ended>,
    report: mpsc::UnboundedSender<Ended>,
    // Postgres first; stopped in the opposite order.
    parts: Vec<Part>,
    stop_gateway: watch::Sender<bool>,
    gateway: Option<JoinHandle<()>>,
    stripe: Option<JoinHandle<Result<()>>>,
    mail: Option<JoinHandle<Result<()>>>,
    redis: Option<JoinHandle<Result<()>>>,
    realtime: Option<JoinHandle<()>>,
    console: Option<JoinHandle<Result<()>>>,
    server: Option<Postgres>,
    status: Option<Status>,
}

impl Stack {
    fn new(dirs: Dirs, output: Output) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        Self {
            dirs,
            output,
            reports,
            report,
            parts: Vec::new(),
            stop_gateway: watch::channel(false).0,
            gateway: None,
            stripe: None,
            mail: None,
            redis: None,
            realtime: None,
            console: None,
            server: None,
            status: None,
        }
    }

    async fn start(&mut self, project: &Project, args: &Args) -> Result<()> {
        let whole = Step::start();
        let listener = ports::bind(Port {
            number: args.api_port,
            what: "API",
            setting: "--api-port or INTERLOCK_API_PORT",
        })?;
        let api_port = listener.local_addr()?.port();
        let db_port = Port {
            number: args.db_port,
            what: "database",
            setting: "--db-port or INTERLOCK_DB_PORT",
        };
        // Before the work of initdb, so that a mistake is told at once.
        ports::free(db_port)?;
        let stripe = self.stand_in_for_stripe(project, args, api_port)?;
        let console = Self::bind_console(project, args)?;
        let mail = self.stand_in_for_resend(project, args)?;
        let key_set = KeySet::new(keys::JWT_SECRET, args.jwks.as_deref())
            .context("INTERLOCK_JWKS is not usable")?;
        let jwt_secret = key_set.api_secret();
        let public_jwks = key_set.public_jwks().to_string();

        let step = Step::start();
        if args.fresh {
            storage::wipe(&self.dirs.storage)?;
        }
        // Of a run that was killed.
        replica::remove(&self.dirs)?;
        let server = Postgres::prepare(&project.root, &self.dirs, args.fresh).await?;
        let db_port = ports::free(db_port)?;
        let mut spec = server.spec(&self.dirs.data, &self.dirs, db_port);
        for setting in &args.db_setting {
            spec = spec.args(["-c", setting]);
        }
        if args.with.contains(&With::Replica) {
            spec = spec.args(["-c", replica::KEEP]);
        }
        let database = self.spawn(spec)?;

        let redis = match args.with.contains(&With::Redis) {
            true => Some(self.redis(project).await?),
            false => None,
        };

        // Functions need nothing but the gateway's address: they load while Postgres starts.
        let platform = functions::Platform::new(
            project,
            args.functions_find_api_at.unwrap_or(api_port),
            postgres::url(db_port),
            public_jwks,
            stripe,
            mail,
            redis,
        )?;
        let mut upstreams = BTreeMap::new();
        let mut loading = Vec::new();
        for function in &project.functions {
            let port = ports::any("a function")?;
            let part = self.spawn(platform.spec(function, &self.dirs, port)?)?;
            loading.push((part, port));
            let verify_jwt = function.verify_jwt;
            upstreams.insert(function.name.clone(), Upstream { port, verify_jwt });
        }

        Postgres::bootstrap(&self.parts[database], db_port, args.default_privileges).await?;
        if !args.no_storage {
            Postgres::run_as_admin(db_port, platform::STORAGE).await?;
        }
        step.done(&format!(
            "Postgres {} on 127.0.0.1:{db_port}",
            server.version
        ));
        let pooler = match args.with.contains(&With::Pgbouncer) {
            true => Some(
                self.pgbouncer(project, &server, args.api_finds_db_at.unwrap_or(db_port))
                    .await?,
            ),
            false => None,
        };
        self.server = Some(server);

        let step = Step::start();
        match push::run(&project.root, &self.dirs, db_port, !args.no_seed).await? {
            0 => say("  – no migrations yet"),
            count => step.done(&format!("`supabase db push` of {count} migrations")),
        }

        if !args.no_storage {
            Postgres::run(db_port, PREPARE_STORAGE).await?;
        }

        if !args.no_seed {
            Postgres::run_as_admin(db_port, &people::sql()).await?;
        }

        if stripe.is_some() && !args.no_seed {
            Postgres::run(db_port, stripe::SEED).await?;
        }

        if console.is_some() {
            Postgres::run(db_port, console::SQL).await?;
        }

        // After the push, because it reads the schema once at its start.
        let step = Step::start();
        let rest_port = ports::any("the API behind the gateway")?;
        let (spec, program) = api::spec(
            project,
            &self.dirs,
            jwt_secret.clone(),
            api::Database {
                port: pooler.or(args.api_finds_db_at).unwrap_or(db_port),
                pool: args.api_pool,
                is_pooled: pooler.is_some(),
            },
            rest_port,
            console.as_ref().map(|_| console::SCHEMA),
        )?;
        let rest = self.spawn(spec)?;
        api::ready(&self.parts[rest], rest_port).await?;
        step.done(&format!("REST API ({program})"));
        let replica = match args.with.contains(&With::Replica) {
            true => Some(self.replica(project, args, db_port, jwt_secret).await?),
            false => None,
        };
        let console = match console {
            Some(listener) => {
                let port = listener.local_addr()?.port();
                let replica = replica.as_ref().map(|(_, url)| url.clone());
                let console = Console::new(&project.root, port, api_port, db_port, replica);
                self.console = Some(tokio::spawn(console.serve(listener)));
                Some(port)
            }
            None => None,
        };

        let step = Step::start();
        for (part, port) in loading {
            functions::ready(&self.parts[part], port).await?;
        }
        let names: Vec<&str> = project.functions.iter().map(|f| f.name.as_str()).collect();
        match names.as_slice() {
            [] => say("  – no functions yet"),
            names => step.done(&format!("functions in Deno: {}", names.join(", "))),
        }

        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (realtime, hearing) = Realtime::start(&postgres::admin_url(db_port)).await?;
        self.realtime = Some(hearing);
        let mut gateway = Gateway::new(key_set, api_port, rest_port, upstreams)?;
        gateway = gateway.with_realtime(realtime);
        let api_url = format!("http://127.0.0.1:{api_port}");
        let auth = Auth::new(
            &postgres::admin_url(db_port),
            &api_url,
            project.auth.clone(),
        )?;
        gateway = gateway.with_auth(auth);
        if !args.no_storage {
            let folder = self.dirs.storage.clone();
            gateway = gateway.with_storage(Storage::new(&postgres::admin_url(db_port), folder)?);
        }
        if args.inject_faults {
            gateway = gateway.with_faults();
        }
        let gateway = Arc::new(gateway);
        let stop = self.stop_gateway.subscribe();
        self.gateway = Some(tokio::spawn(gateway.serve(listener, stop)));

        let mut status = Status::new(api_port, db_port)?;
        if let Some(port) = stripe {
            step.done(&format!("stand-in for Stripe on 127.0.0.1:{port}"));
            status.variables.extend(stripe::variables(port));
        }
        if let Some(port) = mail {
            step.done(&format!(
                "stand-in for Resend: mails on http://127.0.0.1:{port}"
            ));
            status.variables.extend(mail::variables(port));
        }
        if let Some(port) = redis {
            step.done(&format!(
                "Redis behind Upstash's protocol on 127.0.0.1:{port}"
            ));
            status.variables.extend(redis::variables(port));
        }
        if let Some((port, url)) = replica {
            step.done(&format!("replica on 127.0.0.1:{port}, its API on {url}"));
            let db_url = postgres::url(port);
            for (name, value) in [("DB_URL", db_url), ("REST_URL", url)] {
                let name = format!("INTERLOCK_REPLICA_{name}");
                status.variables.insert(name, value);
            }
        }
        if let Some(port) = pooler {
            step.done(&format!(
                "PgBouncer on 127.0.0.1:{port}, between the API and the database"
            ));
        }
        if let Some(port) = console {
            let url = format!("http://127.0.0.1:{port}");
            step.done(&format!("console on {url}"));
            status.variables.insert("CONSOLE_URL".to_owned(), url);
        }
        status.pids = self.pids();
        status.write(&self.dirs)?;
        whole.done(&format!("ready on {}", status.api_url()));
        announce(&status, args.json)?;
        self.status = Some(status);
        Ok(())
    }

    /// Starts a Redis and its front; the front's port.
    async fn redis(&mut self, project: &Project) -> Result<u16> {
        let server = ports::any("Redis")?;
        let part = self.spawn(redis::spec(&project.root, &self.dirs, server)?)?;
        redis::ready(&self.parts[part], server).await?;
        let listener = ports::bind(Port {
            number: 0,
            what: "the front of Redis",
            setting: "another run",
        })?;
        let port = listener.local_addr()?.port();
        self.redis = Some(tokio::spawn(redis::Front::new(server).serve(listener)));
        Ok(port)
    }

    /// Starts a PgBouncer before the database that is found at `db_port`; its port.
    async fn pgbouncer(
        &mut self,
        project: &Project,
        server: &Postgres,
        db_port: u16,
    ) -> Result<u16> {
        let port = ports::any("PgBouncer")?;
        let identity = &server.identity;
        let spec = pgbouncer::spec(&project.root, &self.dirs, identity, db_port, port)?;
        let part = self.spawn(spec)?;
        pgbouncer::ready(&self.parts[part], port).await?;
        Ok(port)
    }

    /// Starts a replica of the database and its API; its port, and the API's URL.
    async fn replica(
        &mut self,
        project: &Project,
        args: &Args,
        db_port: u16,
        jwt_secret: String,
    ) -> Result<(u16, String)> {
        let server = self.server.as_ref().context("there is no database yet")?;
        let follows = args.replica_finds_db_at.unwrap_or(db_port);
        let port = ports::any("the replica")?;
        let spec = replica::copy(server, &self.dirs, db_port, follows, port).await?;
        let part = self.spawn(spec)?;
        replica::ready(&self.parts[part], port).await?;

        let rest_port = ports::any("the API of the replica")?;
        let database = api::Database {
            port,
            pool: args.api_pool,
            // Nobody can listen at a replica, as behind a pooler.
            is_pooled: true,
        };
        let (mut spec, _) = api::spec(project, &self.dirs, jwt_secret, database, rest_port, None)?;
        "replica-api".clone_into(&mut spec.name);
        let part = self.spawn(spec)?;
        api::ready(&self.parts[part], rest_port).await?;
        Ok((port, format!("http://127.0.0.1:{rest_port}")))
    }

    /// Where the console will listen, if it has been built.
    fn bind_console(project: &Project, args: &Args) -> Result<Option<TcpListener>> {
        let at = |number| {
            ports::bind(Port {
                number,
                what: "the console",
                setting: "--console-port or INTERLOCK_CONSOLE_PORT",
            })
        };
        match (args.console_port, args.api_port) {
            (Some(port), _) => at(port).map(Some),
            (None, 0) => Ok(None),
            (None, _) if !Console::is_built(&project.root) => Ok(None),
            // Another stack may have it.
            (None, _) => at(console::PORT).or_else(|_| at(0)).map(Some),
        }
    }

    /// Starts the stand-in for Stripe, unless the shop has an account there; its port.
    fn stand_in_for_stripe(
        &mut self,
        project: &Project,
        args: &Args,
        api_port: u16,
    ) -> Result<Option<u16>> {
        let settings = envfile::settings(&project.root)?;
        if settings.iter().any(|(name, _)| name == "STRIPE_SECRET_KEY") {
            return Ok(None);
        }
        let at = |number| {
            ports::bind(Port {
                number,
                what: "the stand-in for Stripe",
                setting: "--stripe-port or INTERLOCK_STRIPE_PORT",
            })
        };
        let listener = match (args.stripe_port, args.api_port) {
            (Some(port), _) => at(port)?,
            (None, 0) => at(0)?,
            // Another stack may have it.
            (None, _) => at(stripe::PORT).or_else(|_| at(0))?,
        };
        let port = listener.local_addr()?.port();
        let webhook = format!("http://127.0.0.1:{api_port}/functions/v1/payment-webhook");
        self.stripe = Some(tokio::spawn(Stripe::new(webhook).serve(listener)));
        Ok(Some(port))
    }

    /// Starts the stand-in for Resend, unless the shop has an account there; its port.
    fn stand_in_for_resend(&mut self, project: &Project, args: &Args) -> Result<Option<u16>> {
        let settings = envfile::settings(&project.root)?;
        if settings.iter().any(|(name, _)| name == "RESEND_API_KEY") {
            return Ok(None);
        }
        let at = |number| {
            ports::bind(Port {
                number,
                what: "the stand-in for Resend",
                setting: "--mail-port or INTERLOCK_MAIL_PORT",
            })
        };
        let listener = match (args.mail_port, args.api_port) {
            (Some(port), _) => at(port)?,
            (None, 0) => at(0)?,
            // Another stack may have it.
            (None, _) => at(mail::PORT).or_else(|_| at(0))?,
        };
        let port = listener.local_addr()?.port();
        self.mail = Some(tokio::spawn(mail::serve(listener)));
        Ok(Some(port))
    }

    /// Returns when a part has ended and is not started again, with the reason to stop.
    async fn watch(&mut self, restart: bool) -> anyhow::Error {
        let mut restarts = Restarts::default();
        let (wake, mut due) = mpsc::unbounded_channel();
        loop {
            tokio::select! {
                Some(ended) = self.reports.recv() => {
                    let wait = match restart {
                        true => restarts.wait(&ended.name, Instant::now()),
                        false => None,
                    };
                    let Some(wait) = wait else {
                        return self.crashed(ended).await;
                    };
                    say(&format!("  ! {} {}; it is started again", ended.name, ended.how));
                    let wake = wake.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        // Nobody listens any more when the stack is being stopped.
                        let _ = wake.send(ended.name);
                    });
                }
                Some(name) = due.recv() => {
                    if let Err(error) = self.start_again(&name).await {
                        return error;
                    }
                }
            }
        }
    }

    /// Starts a part that has ended on the ports that it had.
    async fn start_again(&mut self, name: &str) -> Result<()> {
        let at = self.parts.iter().position(|part| part.name == name);
        let at = at.with_context(|| format!("there is no part {name}"))?;
        if let (DATABASE, Some(server)) = (at, &self.server) {
            server.clear_stale_pid().await?;
        }
        let part = self.parts[at].again(&self.dirs, self.output, self.report.clone())?;
        // Its guard writes it at once; a part that ended before is reported by itself.
        for _ in 0..100 {
            if part.pid().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.parts[at] = part;
        let pids = self.pids();
        if let Some(status) = &mut self.status {
            status.pids = pids;
            status.write(&self.dirs)?;
        }
        Ok(())
    }

    fn spawn(&mut self, spec: Spec) -> Result<usize> {
        let part = Part::spawn(spec, &self.dirs, self.output, self.report.clone())?;
        self.parts.push(part);
        Ok(self.parts.len() - 1)
    }

    fn pids(&self) -> BTreeMap<String, u32> {
        let mut pids: BTreeMap<String, u32> = self
            .parts
            .iter()
            .filter_map(|part| Some((part.name.clone(), part.pid()?)))
            .collect();
        pids.insert("supervisor".to_owned(), std::process::id());
        pids
    }

    async fn crashed(&self, ended: Ended) -> anyhow::Error {
        let tail = match self.parts.iter().find(|part| part.name == ended.name) {
            Some(part) => part.tail().await,
            None => String::new(),
        };
        anyhow::anyhow!("{} {}, so the stack stops{tail}", ended.name, ended.how)
    }

    async fn stop(&mut self) {
        // First, so that nobody takes a stack for ready that is not.
        let _ = std::fs::remove_file(self.dirs.status_file());
        self.stop_gateway.send_replace(true);
        if let Some(stripe) = self.stripe.take() {
            stripe.abort();
        }
        if let Some(mail) = self.mail.take() {
            mail.abort();
        }
        if let Some(redis) = self.redis.take() {
            redis.abort();
        }
        if let Some(console) = self.console.take() {
            console.abort();
        }
        if let Some(gateway) = self.gateway.take() {
            let _ = gateway.await;
        }
        if let Some(realtime) = self.realtime.take() {
            realtime.abort();
        }
        let mut parts = self.parts.iter_mut();
        let database = parts.next();
        // The others end together; the database last, so that none of them sees it vanish.
        let mut stopping: Vec<_> = parts.map(|part| Box::pin(part.stop())).collect();
        for part in &mut stopping {
            part.await;
        }
        drop(stopping);
        if let Some(database) = database {
            database.stop().await;
        }
        if let Err(error) = replica::remove(&self.dirs) {
            say(&format!("  ! {error:#}"));
        }
    }
}

fn announce(status: &Status, json: bool) -> Result<()> {
    use std::io::Write as _;
    let text = if json {
        status.render(Format::Json)?
    } else {
        format!(
            "\n{}\nCtrl-C stops everything.\n\n",
            examples::text(status)?
        )
    };
    let mut stdout = std::io::stdout();
    // A reader that went away does not need a stack; everyone else reads all of it.
    if stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .is_err()
    {
        bail!("nobody reads the output");
    }
    Ok(())
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

//! The metrics of the local stack as the real Prometheus reads them: the rules in ops/ are checked, each alert is made to fire
//! and to fall in promtool, and some of them by breaking the shop and mending it. Every query of the dashboard is asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::counts::Counts;
use super::debian::{fetch, remove};
use super::{Run, live};
use crate::command::stdout_of;
use crate::repo::Repo;
use crate::stack;
use crate::supabase::{DatabaseUrl, Supabase, Target};

/// Breaks the shop in several ways at once.
const BREAK: &str = "
do $$
begin
perform interlock.audit_inventory(true);
insert into auth.users (id, aud, role, email)
values ('84000000-0000-4000-8000-00000000000a', 'authenticated', 'authenticated', 'metrics@example.com');
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
values (
  '84000000-0000-4000-8000-00000000000b', '84000000-0000-4000-8000-00000000000a', 'pending_payment', 'EUR', 1, 1,
  'bank_transfer', now() - interval '1 hour'
);
insert into interlock.payment_proofs (order_id, object_path, created_at)
values ('84000000-0000-4000-8000-00000000000b', 'metrics', now() - interval '6 days');
insert into interlock.webhook_endpoints (id, url, active, disabled_at)
values ('84000000-0000-4000-8000-00000000000c', 'https://metrics.example.com/', false, now());
insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, ended_at)
values (-84, pg_current_xact_id(), '84000000-0000-4000-8000-00000000000c', 'metrics', 'dead', now());
end
$$";
/// Which alerts that makes.
const BROKEN: [&str; 4] = [
    "InterlockJobsLate",
    "InterlockProofsWaiting",
    "InterlockEndpointOff",
    "InterlockDeliveriesDead",
];
/// Mends it.
const MEND: &str = "
do $$
begin
perform interlock.expire_orders(100);
delete from interlock.webhook_endpoints where id = '84000000-0000-4000-8000-00000000000c';
end
$$";

/// More than a scrape and an evaluation take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The account that reads the metrics.
const READER: &str = "3e7a1c00-0000-4000-8000-000000000001";

/// promtool's checks, then a Prometheus of our own on the stack.
pub(super) fn run(run: &mut Run) -> Result<Counts> {
    let programs = obtain(run.repo)?;
    let ops = run.repo.root.join("ops");
    let mut counts = Counts::default();
    let mut passed = |what: &str| {
        println!("ok - {what}");
        counts = counts + Counts::PASSED;
    };
    for (words, what) in [
        (["check", "rules", "alerts.yml"], "the rules are rules"),
        (
            ["check", "config", "prometheus.yml"],
            "the settings are settings",
        ),
        (
            ["test", "rules", "alerts.test.yml"],
            "each alert fires and falls",
        ),
    ] {
        let mut promtool = Command::new(programs.join("promtool"));
        live::check(&mut run.tail, promtool.current_dir(&ops).args(words))?;
        passed(what);
    }
    let alerts = fs::read_to_string(ops.join("alerts.yml"))?;
    let tests = fs::read_to_string(ops.join("alerts.test.yml"))?;
    for line in alerts.lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ")
            && !tests.contains(&format!("- name: {name}\n"))
        {
            bail!("the alert {name} has no test in ops/alerts.test.yml");
        }
    }
    passed("no alert is without a test");

    let url = run
        .variables
        .get("DB_URL")
        .context("the stack has a database")?;
    let target = Target {
        db_url: Some(DatabaseUrl::from(url.clone())),
        ..Target::default()
    };
    let supabase = Supabase::find(run.repo, &target)?;
    supabase.execute(&format!(
        "insert into auth.users (id, email) values ('{READER}', 'prometheus@example.com') on conflict do nothing"
    ))?;
    let prometheus = Prometheus::start(run, &programs, &alerts)?;
    prometheus.wait("the metrics are read", |p| Ok(p.values("up == 1")? == 1))?;
    passed("Prometheus reads the metrics, with a token for nothing else");
    supabase.execute(BREAK)?;
    for alert in BROKEN {
        prometheus.wait(alert, |p| Ok(p.firing(alert)? > 0))?;
        passed(&format!("{alert} fires on a broken shop"));
    }
    dashboard(&prometheus, &ops)?;
    passed("the dashboard asks for what there is");
    supabase.execute(MEND)?;
    for alert in BROKEN {
        prometheus.wait(alert, |p| Ok(p.firing(alert)? == 0))?;
        passed(&format!("{alert} falls when it is mended"));
    }
    Ok(counts)
}

/// Each query has an answer, as a dashboard asks it.
fn dashboard(prometheus: &Prometheus, ops: &Path) -> Result<()> {
    let dashboard: Value = serde_json::from_slice(&fs::read(ops.join("dashboard.json"))?)?;
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().context("a target asks something")?;
            let asked = expression
                .replace("$shop", ".*")
                .replace("$__rate_interval", "1m");
            prometheus
                .wait(expression, |p| Ok(p.values(&asked)? > 0))
                .with_context(|| format!("the panel {} would stay empty", panel["title"]))?;
        }
    }
    Ok(())
}

/// Where Debian's programs are, unpacked once below `.interlock/debian`.
fn obtain(repo: &Repo) -> Result<PathBuf> {
    let folder = repo.root.join(".interlock/debian");
    let root = folder.join("prometheus");
    let programs = root.join("usr/bin");
    if !programs.join("promtool").is_file() {
        let draft = folder.join("prometheus-draft");
        remove(&draft)?;
        remove(&root)?;
        let work = folder.join("prometheus-work");
        fetch(&work, &["prometheus"], &draft)
            .context("Debian's prometheus could not be fetched; this needs network access once")?;
        remove(&work)?;
        fs::rename(&draft, &root)?;
    }
    Ok(programs)
}

/// One that reads the stack every second, and whose alerts wait for nothing.
struct Prometheus {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Prometheus {
    fn start(run: &Run, programs: &Path, alerts: &str) -> Result<Self> {
        let variable = |name: &str| {
            let value = run.variables.get(name).map(String::as_str);
            value.with_context(|| format!("the stack says no {name}"))
        };
        let mut token = Command::new(stack::binary(run.repo, true)?);
        token.current_dir(&run.repo.root).args([
            "token",
            "--dir",
            "target/test-stack",
            "--user",
            READER,
            "--claims",
            r#"{"app_metadata": {"role": "metrics"}}"#,
        ]);
        let token = stdout_of(&mut token)?;
        let settings = fs::read_to_string(run.repo.root.join("ops/prometheus.yml"))?
            .replace("30s", "1s")
            .replace("scheme: https", "scheme: http")
            .replace("PUBLISHABLE_KEY", variable("PUBLISHABLE_KEY")?)
            .replace("TOKEN", token.trim())
            .replace(
                "REF.supabase.co",
                variable("API_URL")?.trim_start_matches("http://"),
            );
        let patient = alerts
            .lines()
            .filter(|line| !line.trim().starts_with("for: "));
        let alerts: Vec<&str> = patient.collect();
        let folder = run.repo.target.join("prometheus");
        remove(&folder)?;
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("alerts.yml"), alerts.join("\n"))?;
        fs::write(folder.join("prometheus.yml"), settings)?;
        let port = stack::free_port(&stack::binary(run.repo, true)?)?;
        let log = folder.join("log");
        let child = Command::new(programs.join("prometheus"))
            .current_dir(&folder)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("prometheus cannot be started")?;
        Ok(Self {
            child,
            url: format!("http://127.0.0.1:{port}/api/v1/query"),
            log,
        })
    }

    /// How many series a query has.
    fn values(&self, query: &str) -> Result<usize> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--get", "--max-time", "10"])
            .arg("--data-urlencode")
            .arg(format!("query={query}"))
            .arg(&self.url);
        let answer: Value = serde_json::from_str(&stdout_of(&mut curl)?)?;
        if answer["status"] == "error" {
            bail!("{query}: {}", answer["error"]);
        }
        Ok(answer["data"]["result"].as_array().map_or(0, Vec::len))
    }

    fn firing(&self, alert: &str) -> Result<usize> {
        self.values(&format!(
            "ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}"
        ))
    }

    /// Asks until it is so.
    fn wait(&self, what: &str, so: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        loop {
            match so(self) {
                Ok(true) => return Ok(()),
                _ if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(200)),
                Ok(false) => {
                    let said = fs::read_to_string(&self.log).unwrap_or_default();
                    bail!("{what}: not so after {PATIENCE:?}; prometheus said:\n{said}")
                }
                Err(error) => return Err(error.context(what.to_owned())),
            }
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It has nothing to keep.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The migrations on Postgres 15: up, linted, down to nothing, up again, and the database tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::counts::Counts;
use super::debian::Server;
use super::{Run, live, pgtap, steps};
use crate::command::{run as execute, stdout_of};
use crate::repo::Repo;
use crate::stack;

const PASSWORD: &str = "postgres";

/// What functions name that use a part of the platform only where it is, so that they can be checked, too.
const PARTS: &str = "
create schema cron;
create table cron.job (jobid bigint, jobname text);
create table cron.job_run_details (jobid bigint, end_time timestamptz);
create function cron.schedule(job_name text, schedule text, command text)
returns bigint language sql as 'select 1::bigint';
create schema net;
create function net.http_post(url text, body jsonb, params jsonb, headers jsonb, timeout_milliseconds int)
returns bigint language sql as 'select 1::bigint';
create schema storage;
create table storage.buckets (
  id text primary key, name text, public boolean, file_size_limit bigint, allowed_mime_types text[]
);
create table storage.objects (bucket_id text, name text);
create schema vault;
create table vault.decrypted_secrets (name text, decrypted_secret text)";
const NO_PARTS: &str = "drop schema cron, net, storage, vault cascade";

/// From here on what is compiled is counted.
const WATCH: &str = "create schema watch; create extension pg_stat_statements schema watch";

/// Functions with statements that were compiled. Of a statement, what stands before its first constant and after its last,
/// which are `$` and a number here, stands in the function; `into` and what follows it is left out at either end, or neither.
const COMPILED: &str = "
select distinct p.oid::regprocedure
from watch.pg_stat_statements s
cross join lateral (values
  (split_part(s.query, '$', 1)), (regexp_replace(s.query, '^.*[$][0-9]+', ''))
) part (words)
join pg_proc p on position(part.words in p.prosrc) > 0
where s.jit_functions > 0 and length(part.words) > 30
  and p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)";

/// Everything on one new cluster.
pub(super) fn run(run: &mut Run) -> Result<Counts> {
    let repo = run.repo;
    let server = Server::obtain(repo)?;
    pgtap::install(repo, &server.share())?;
    let stack = stack::binary(repo, true)?;
    let cluster = Cluster::start(repo, &server, &stack)?;

    let mut platform = Command::new(&stack);
    platform.args(["platform-sql", "--default-privileges", "strict"]);
    cluster.execute(&stdout_of(&mut platform)?)?;
    cluster.execute("create extension plpgsql_check with schema extensions")?;
    let empty = cluster.schema()?;

    let mut counts = Counts::default();
    let mut passed = |what: &str| {
        println!("ok - {what}");
        counts = counts + Counts::PASSED;
    };
    let supabase = Supabase::new(repo, &cluster)?;
    supabase.run(run, &["db", "push", "--yes"])?;
    passed("the migrations apply");
    let again = supabase.run(run, &["db", "push", "--yes"])?;
    if !again.iter().any(|line| line.contains("up to date")) {
        bail!("a second push is not up to date");
    }
    passed("a second push changes nothing");
    cluster.execute(PARTS)?;
    supabase.run(
        run,
        &[
            "db",
            "lint",
            "--schema",
            "public,interlock",
            "--level",
            "warning",
            "--fail-on",
            "warning",
        ],
    )?;
    cluster.execute(NO_PARTS)?;
    passed("supabase db lint");
    supabase.run(
        run,
        &["db", "advisors", "--level", "warn", "--fail-on", "warn"],
    )?;
    passed("supabase db advisors");

    let versions = cluster.roll_back(repo)?;
    let mut repair = vec!["migration", "repair", "--status", "reverted", "--yes"];
    repair.extend(versions.iter().map(String::as_str));
    supabase.run(run, &repair)?;
    let left = cluster.schema()?;
    if left != empty {
        bail!(
            "the rollback scripts do not undo everything:\n{}",
            differences(&empty, &left)
        );
    }
    passed("the rollback scripts undo every migration");
    supabase.run(run, &["db", "push", "--yes"])?;
    passed("the migrations apply again");

    let url = cluster.url("postgres");
    let admin = cluster.url("supabase_admin");
    cluster.execute(WATCH)?;
    let tests = pgtap::run(run, &[("DB_URL", &url), ("INTERLOCK_ADMIN_DB_URL", &admin)])?;
    let compiled = stdout_of(cluster.psql("supabase_admin").args(["-At", "-c", COMPILED]))?;
    if !compiled.is_empty() {
        bail!(
            "Postgres would compile these statements for seconds, for what it expects of them; give the function `set jit = off`, or its parts better estimates (`rows`):\n{compiled}"
        );
    }
    println!("ok - on tables as small as the tests' no statement of a function is compiled");
    supabase.run(run, &["db", "push", "--include-seed", "--yes"])?;
    println!("ok - the seed loads");
    let variables = [("DB_URL", url), ("INTERLOCK_ADMIN_DB_URL", admin)]
        .map(|(name, url)| (name.to_owned(), url))
        .into();
    let ship = steps::of_tests_crate(
        run,
        &["--test", "ship"],
        &["push::", "verify::", "jobs::"],
        &variables,
    )?;
    Ok(counts + Counts::PASSED + Counts::PASSED + tests + ship)
}

/// A running Postgres 15.
struct Cluster<'a> {
    server: &'a Server,
    port: u16,
    guard: Child,
}

impl<'a> Cluster<'a> {
    fn start(repo: &Repo, server: &'a Server, stack: &Path) -> Result<Self> {
        let folder = repo.target.join("postgres15");
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        let password = folder.join("password");
        fs::write(&password, PASSWORD)?;
        let user = ServerUser::find()?;
        user.own(&[&data, &password])?;
        let mut initdb = user.command(&server.program("initdb"));
        initdb
            .current_dir("/")
            .env("LD_LIBRARY_PATH", server.libraries())
            .args(["--username=supabase_admin", "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--no-sync", "--no-instructions"])
            .arg("--pwfile")
            .arg(&password)
            .arg("-D")
            .arg(&data);
        stdout_of(&mut initdb)?;

        let port = stack::free_port(stack)?;
        let log = File::create(folder.join("postgres.log"))?;
        // The guard stops the server when this process ends, however it ends.
        let mut guard = Command::new(stack);
        guard
            .args(["guard", "--stop", "postgres", "--pid-file"])
            .arg(folder.join("postgres.pid"))
            .arg("--lock-file")
            .arg(folder.join("lock"))
            .arg("--")
            .args(user.prefix())
            .arg(server.program("postgres"))
            .arg("-D")
            .arg(&data);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            "unix_socket_directories=",
            "fsync=off",
            // As the platform has it, but for optimising: that takes seconds for each statement.
            "jit=on",
            "jit_inline_above_cost=-1",
            "jit_optimize_above_cost=-1",
            "shared_preload_libraries=pg_stat_statements",
            "pg_stat_statements.track=all",
            "pg_stat_statements.max=20000",
            "timezone=UTC",
            "log_timezone=UTC",
        ] {
            guard.args(["-c", setting]);
        }
        let guard = guard
            .current_dir("/")
            .env("LD_LIBRARY_PATH", server.libraries())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", stack.display()))?;
        let mut cluster = Self {
            server,
            port,
            guard,
        };
        cluster.wait(&folder.join("postgres.log"))?;
        println!("Postgres 15 is on port {port}");
        Ok(cluster)
    }

    fn wait(&mut self, log: &Path) -> Result<()> {
        for _ in 0..300 {
            if self.guard.try_wait()?.is_some() {
                break;
            }
            if self.execute("select 1").is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        bail!(
            "Postgres 15 did not start:\n{}",
            fs::read_to_string(log).unwrap_or_default()
        )
    }

    fn url(&self, user: &str) -> String {
        format!(
            "postgresql://{user}:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    fn client(&self, program: &str, user: &str) -> Command {
        let mut command = Command::new(self.server.program(program));
        command
            .env("LD_LIBRARY_PATH", self.server.libraries())
            .arg("--dbname")
            .arg(self.url(user));
        command
    }

    fn psql(&self, user: &str) -> Command {
        let mut psql = self.client("psql", user);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        psql
    }

    /// Runs SQL as the superuser.
    fn execute(&self, sql: &str) -> Result<()> {
        stdout_of(self.psql("supabase_admin").args(["-c", sql])).map(drop)
    }

    /// Everything that migrations can make, as text.
    fn schema(&self) -> Result<String> {
        let dump = stdout_of(
            self.client("pg_dump", "supabase_admin")
                .args(["--schema-only", "--exclude-schema=supabase_migrations"]),
        )?;
        Ok(dump
            .lines()
            // Comments, and a random word that newer versions write.
            .filter(|line| !line.is_empty() && !line.starts_with("--") && !line.starts_with('\\'))
            .map(|line| format!("{line}\n"))
            .collect())
    }

    /// Runs the rollback scripts, newest first; gives the versions that are undone.
    fn roll_back(&self, repo: &Repo) -> Result<Vec<String>> {
        let mut scripts: Vec<PathBuf> = fs::read_dir(repo.root.join("supabase/rollback"))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "sql"))
            .collect();
        scripts.sort();
        let mut versions = Vec::new();
        for script in scripts.iter().rev() {
            stdout_of(
                self.psql("postgres")
                    .arg("--single-transaction")
                    .arg("-f")
                    .arg(script),
            )
            .with_context(|| format!("rolling back with {}", repo.relative(script)))?;
            let name = script.file_name().unwrap_or_default().to_string_lossy();
            versions.extend(name.split('_').next().map(str::to_owned));
        }
        Ok(versions)
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        // The guard stops Postgres when its input ends.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Postgres refuses to run as root; then it runs as `nobody`, who may still enter the repository.
struct ServerUser {
    ids: Option<(String, String)>,
}

impl ServerUser {
    fn find() -> Result<Self> {
        let id = |arguments: &[&str]| -> Result<String> {
            Ok(stdout_of(Command::new("id").args(arguments))?
                .trim()
                .to_owned())
        };
        let ids = if id(&["-u"])? == "0" {
            Some((id(&["-u", "nobody"])?, id(&["-g", "nobody"])?))
        } else {
            None
        };
        Ok(Self { ids })
    }

    /// What stands before the program on its command line.
    fn prefix(&self) -> Vec<String> {
        let Some((user, group)) = &self.ids else {
            return Vec::new();
        };
        let capabilities = "+dac_read_search,+dac_override";
        vec![
            "setpriv".to_owned(),
            format!("--reuid={user}"),
            format!("--regid={group}"),
            "--clear-groups".to_owned(),
            format!("--inh-caps={capabilities}"),
            format!("--ambient-caps={capabilities}"),
            // Else access(2), which initdb asks about its own programs, would ignore them.
            "--securebits=+no_setuid_fixup".to_owned(),
            "--".to_owned(),
        ]
    }

    fn command(&self, program: &Path) -> Command {
        match self.prefix().split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }

    fn own(&self, paths: &[&Path]) -> Result<()> {
        if let Some((user, group)) = &self.ids {
            execute(
                Command::new("chown")
                    .arg(format!("{user}:{group}"))
                    .args(paths),
            )?;
        }
        Ok(())
    }
}

/// The real CLI, pointed at the cluster.
struct Supabase {
    program: PathBuf,
    home: PathBuf,
    url: String,
}

impl Supabase {
    fn new(repo: &Repo, cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            program: repo.npm_file("supabase/dist/supabase.js")?,
            home: repo.target.join("postgres15/supabase-home"),
            url: cluster.url("postgres"),
        })
    }

    fn run(&self, run: &mut Run, arguments: &[&str]) -> Result<Vec<String>> {
        fs::create_dir_all(&self.home)?;
        let mut command = Command::new("node");
        command
            .current_dir(&run.repo.root)
            .arg(&self.program)
            .args(arguments)
            .arg(format!("--remote={}", self.url))
            .env("SUPABASE_HOME", &self.home)
            .env("HOME", &self.home)
            .env("DO_NOT_TRACK", "1")
            .env("SUPABASE_TELEMETRY_DISABLED", "1")
            .env("SUPABASE_NO_UPDATE_NOTIFIER", "1")
            .env("SUPABASE_NO_KEYRING", "1");
        let finished = live::child(&mut run.tail, &mut command)?;
        if !finished.success {
            bail!("`supabase {}` failed", arguments.join(" "));
        }
        Ok(finished.lines)
    }
}

/// Lines that only one of the two has.
fn differences(before: &str, after: &str) -> String {
    let only = |left: &str, right: &str, mark: &str| -> String {
        let right: Vec<&str> = right.lines().collect();
        left.lines()
            .filter(|line| !right.contains(line))
            .map(|line| format!("{mark} {line}\n"))
            .collect()
    };
    only(before, after, "-") + &only(after, before, "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_what_is_left_and_what_is_gone() {
        assert_eq!(differences("a\nb\n", "b\nc\n"), "- a\n+ c\n");
        assert_eq!(differences("a\n", "a\n"), "");
    }
}

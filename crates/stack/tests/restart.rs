//! What the supervisor does when a part is killed: with `--restart` it starts the part again on the same
//! port, without it everything stops.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use tokio::runtime::Runtime;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A project with one function in the database, and no edge functions.
struct Stack {
    running: Child,
    folder: PathBuf,
    status: Value,
}

impl Stack {
    fn start(name: &str, options: &[&str]) -> Result<Self> {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&root);
        let migrations = root.join("supabase/migrations");
        std::fs::create_dir_all(&migrations)?;
        std::fs::write(
            root.join("supabase/config.toml"),
            "project_id = \"restart\"",
        )?;
        std::fs::write(
            migrations.join("20250101000000_answer.sql"),
            "create function public.answer() returns int language sql as 'select 42';
             grant execute on function public.answer() to anon;",
        )?;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        std::os::unix::fs::symlink(repository.join("node_modules"), root.join("node_modules"))?;
        let mut running = Command::new(env!("CARGO_BIN_EXE_interlock-stack"))
            .arg("--root")
            .arg(&root)
            .args(["up", "--json", "--api-port=0", "--db-port=0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = running.stdout.take().ok_or("its output is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self {
            running,
            folder: root.join(".interlock"),
            status: serde_json::from_str(&line)?,
        })
    }

    /// The process of a part, as the stack tells others now.
    fn pid(&self, part: &str) -> Result<i32> {
        let status = std::fs::read(self.folder.join("status.json"))?;
        let status: Value = serde_json::from_slice(&status)?;
        let pid = status["pids"][part].as_i64().ok_or("the part runs")?;
        Ok(i32::try_from(pid)?)
    }

    fn kill(&self, part: &str) -> Result<i32> {
        let pid = self.pid(part)?;
        kill(Pid::from_raw(pid), Signal::SIGKILL)?;
        Ok(pid)
    }

    fn variable(&self, name: &str) -> Result<&str> {
        let value = self.status[name].as_str();
        Ok(value.ok_or_else(|| format!("it has no {name}"))?)
    }

    /// The status of a request that reaches the database.
    fn ask(&self) -> Result<u16> {
        self.ask_at(self.variable("REST_URL")?)
    }

    /// The status of the same request to an API of the database.
    fn ask_at(&self, url: &str) -> Result<u16> {
        let key = self.variable("ANON_KEY")?;
        let url = url.trim_start_matches("http://");
        let (host, path) = url.split_once('/').unwrap_or((url, ""));
        let mut stream = TcpStream::connect(host)?;
        let path = format!("/{path}/rpc/answer").replace("//", "/");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {host}\r\napikey: {key}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).ok_or("an answer has a status")?;
        Ok(status.parse()?)
    }
}

/// One value of a database.
async fn value(url: &str, query: &'static str) -> Result<i32> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query(query).fetch_one(&mut connection).await?;
    Ok(row.try_get(0)?)
}

impl Drop for Stack {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.running.id().cast_signed());
        let _ = kill(pid, Signal::SIGTERM);
        let _ = self.running.wait();
    }
}

/// Looks until it is so, for a time that is only bounded so that a failure ends.
fn eventually(what: &str, is_so: impl Fn() -> Result<bool>) {
    let begun = Instant::now();
    while !is_so().unwrap_or(false) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_part_is_started_again_and_its_new_process_is_told() -> Result<()> {
    let stack = Stack::start("restart", &["--restart"])?;
    eventually("the stack answers", || Ok(stack.ask()? == 200));
    for part in ["api", "postgres", "api"] {
        let old = stack.kill(part)?;
        eventually("the part runs again", || Ok(stack.pid(part)? != old));
        eventually("the stack answers again", || Ok(stack.ask()? == 200));
    }
    Ok(())
}

#[test]
fn without_the_option_a_killed_part_stops_the_stack() -> Result<()> {
    let mut stack = Stack::start("no-restart", &[])?;
    stack.kill("api")?;
    assert_eq!(stack.running.wait()?.code(), Some(1));
    Ok(())
}

#[test]
fn a_replica_follows_whoever_was_killed_and_is_gone_with_the_stack() -> Result<()> {
    let runtime = Runtime::new()?;
    let stack = Stack::start("replica", &["--restart", "--with=replica"])?;
    let primary = stack.variable("DB_URL")?;
    let replica = stack.variable("INTERLOCK_REPLICA_DB_URL")?;
    let first = "create table public.told as select 1 as number";
    runtime.block_on(async {
        let mut connection = PgConnection::connect(primary).await?;
        sqlx::raw_sql(first).execute(&mut connection).await
    })?;
    for (number, part) in [(1, "replica"), (2, "postgres"), (3, "replica-api")] {
        eventually("the replica has heard of it", || {
            let told = value(replica, "select max(number) from public.told");
            Ok(runtime.block_on(told)? == number)
        });
        let old = stack.kill(part)?;
        eventually("the part runs again", || Ok(stack.pid(part)? != old));
        let next =
            "insert into public.told select max(number) + 1 from public.told returning number";
        eventually("the database is written to again", || {
            Ok(runtime.block_on(value(primary, next))? > number)
        });
    }
    let url = stack.variable("INTERLOCK_REPLICA_REST_URL")?;
    eventually("its API answers", || Ok(stack.ask_at(url)? == 200));
    let written = runtime.block_on(value(replica, "delete from public.told returning number"));
    let refused = written.err().ok_or("a replica was written to")?.to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");

    let copy = stack.folder.join("replica");
    assert!(copy.is_dir());
    drop(stack);
    assert!(!copy.exists());
    Ok(())
}

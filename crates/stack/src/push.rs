//! Migrations and the seed, by the real Supabase CLI.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::dirs::Dirs;
use crate::{npm, postgres};

/// Runs `supabase db push`; gives the number of migrations the project has.
pub(crate) async fn run(root: &Path, dirs: &Dirs, db_port: u16, seed: bool) -> Result<usize> {
    let migrations = count_migrations(root);
    if migrations == 0 {
        return Ok(0);
    }
    let cli = cli(root)?;
    let home = dirs.base.join("supabase-home");
    std::fs::create_dir_all(&home)?;
    let mut command = Command::new(&cli);
    command.args(["db", "push", "--yes"]).arg(format!(
        "--remote={}?sslmode=disable",
        postgres::url(db_port)
    ));
    if seed {
        command.arg("--include-seed");
    }
    let output = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &home)
        .env("SUPABASE_HOME", &home)
        .env("DO_NOT_TRACK", "1")
        .env("SUPABASE_TELEMETRY_DISABLED", "1")
        .env("SUPABASE_NO_UPDATE_NOTIFIER", "1")
        .env("SUPABASE_NO_KEYRING", "1")
        .current_dir(root)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", cli.display()))?;
    if !output.status.success() {
        bail!(
            "`supabase db push` failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(migrations)
}

fn count_migrations(root: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(root.join("supabase/migrations")) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "sql"))
        .count()
}

/// The native program if it is where npm puts it, else npm's wrapper, which costs a
/// start of node.
fn cli(root: &Path) -> Result<PathBuf> {
    let modules = root.join("node_modules");
    for platform in npm::platforms() {
        let native = modules.join(format!("@supabase/cli-{platform}/bin/supabase"));
        if native.is_file() {
            return Ok(native);
        }
    }
    let wrapper = modules.join(".bin/supabase");
    if wrapper.exists() {
        return Ok(wrapper);
    }
    bail!(
        "there is no Supabase CLI in {}; run `npm install` first",
        modules.display()
    )
}

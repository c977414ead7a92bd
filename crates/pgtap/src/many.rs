//! An installation of seven shops, in a database of its own on the server of another.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio_postgres::{Client, Config};

use crate::{connect, install};

const NAME: &str = "pgtap_many";

/// What the platform gives before the first migration, in this order.
const PLATFORM: [&str; 2] = ["platform.sql", "default-privileges-legacy.sql"];

/// Seven shops, of which the tests are in the last.
const SHOPS: &str = "
select interlock.serve_shops();
select interlock.add_shop('shop-' || n) from generate_series(2, 7) n";

/// Who runs the tests. The role that runs migrations passes over row security, and would see every shop where a test
/// looks into a table; this one has its rights, but for that. It may write accounts, which are the platform's, and link tables that it
/// makes, which are to belong to whoever the schema belongs to.
const TESTER: &str = "
create role pgtap_many login createrole password 'postgres';
grant postgres to pgtap_many;
alter schema interlock owner to pgtap_many;
grant all on schema interlock to postgres;
do $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid::regclass from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r' and c.relrowsecurity
  loop
    execute format('create policy of_tests on %s to pgtap_many using (true)', v_table);
  end loop;
end
$$;
alter database pgtap_many set interlock.shop = '7'";

/// Makes it, in place of what an earlier run has left; gives where the tests run.
pub(crate) async fn make(admin: &Config, owner: &Config) -> Result<Config> {
    let server = connect(admin).await.context("as administrator")?;
    forget(&server).await?;
    execute(
        &server,
        &format!("create database {NAME} template template0"),
    )
    .await?;

    let installed = connect(admin.clone().dbname(NAME)).await?;
    for file in PLATFORM {
        run(&installed, &Path::new("crates/stack/platform").join(file)).await?;
    }
    install(admin.clone().dbname(NAME)).await?;
    let migrating = connect(owner.clone().dbname(NAME)).await?;
    for file in migrations()? {
        run(&migrating, &file).await?;
    }
    execute(&migrating, SHOPS).await?;
    execute(&installed, TESTER).await?;

    let mut tester = owner.clone();
    tester.dbname(NAME).user(NAME).password("postgres");
    Ok(tester)
}

/// Removes it. A run that fails leaves it, to be looked at.
pub(crate) async fn remove(admin: &Config) -> Result<()> {
    forget(&connect(admin).await.context("as administrator")?).await
}

async fn forget(server: &Client) -> Result<()> {
    let drop = format!("drop database if exists {NAME} with (force)");
    execute(server, &drop).await?;
    execute(server, &format!("drop role if exists {NAME}")).await
}

/// Oldest first.
fn migrations() -> Result<Vec<PathBuf>> {
    let mut files = fs::read_dir("supabase/migrations")
        .context("run this from the repository")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

async fn run(client: &Client, file: &Path) -> Result<()> {
    let sql = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let ran = execute(client, &sql).await;
    ran.with_context(|| format!("running {}", file.display()))
}

async fn execute(client: &Client, sql: &str) -> Result<()> {
    let ran = client.batch_execute(sql).await;
    ran.with_context(|| format!("cannot run: {}", sql.lines().take(3).collect::<String>()))
}

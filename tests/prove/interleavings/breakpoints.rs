//! Breakpoints in the functions of the database under test: places where a session stops until the
//! conductor lets it go on.
//!
//! While the search runs, every function of schema `interlock` that locks, writes or decides calls
//! `prove.breakpoint` before each such statement. For a session that does not take part this does
//! nothing. A session that does counts its breakpoints and passes each through an advisory lock of
//! that number, so whoever holds the lock stops it there; and Postgres's own `pg_blocking_pids` says
//! that it has come there. The originals are kept in `prove.originals` and put back at the end. A run
//! that was killed leaves them there, and the next one puts them back first.

use anyhow::{Context as _, Result, bail};
use tokio_postgres::Client;

/// Where the parts of the schema `prove` come from. The owner of the lock is the only prover.
const SCHEMA: &str = "
create schema prove;
grant usage on schema prove to public;
create table prove.originals (signature text primary key, definition text not null);

-- A sequence, because what a subtransaction gives back must not count backwards.
create function prove.breakpoint(p_place text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_session constant text := nullif(current_setting('prove.session', true), '');
  v_step int;
begin
  if v_session is null then
    return;
  end if;
  v_step := nextval('prove.steps_' || v_session);
  raise notice using message = p_place;
  perform pg_advisory_lock(v_session::int, v_step);
  perform pg_advisory_unlock(v_session::int, v_step);
end
$$;
";

/// Puts the originals back, all or none.
const RESTORE: &str = "
do $$
declare
  v_definition text;
begin
  if to_regclass('prove.originals') is not null then
    for v_definition in select definition from prove.originals order by signature loop
      execute v_definition;
    end loop;
  end if;
  drop schema if exists prove cascade;
end
$$;
";

/// The functions whose statements get breakpoints: those that lock or write, and those that look before.
/// Triggers only if they change rows of another table: what a trigger adds to a ledger meets nobody.
const CANDIDATES: &str = "
select p.oid::regprocedure::text, p.proname::text, pg_get_functiondef(p.oid)
from pg_proc p
join pg_language l on l.oid = p.prolang
where p.pronamespace = 'interlock'::regnamespace
  and p.prokind = 'f'
  and l.lanname = 'plpgsql'
  and p.provolatile = 'v'
  and (p.prorettype <> 'trigger'::regtype or p.prosrc ~ 'update interlock|for no key update|counter_slots|cover_slots')
  and (
    p.prosrc ~ 'for (no key )?update|pg_advisory|insert into|update interlock|delete from'
    or p.proname ~ '^(find|claim)_'
  )
order by 1";

/// A search waits for its own breakpoints, which count against the timeouts of the functions.
const LOCK_TIMEOUTS: [&str; 2] = ["SET lock_timeout TO '2s'", "SET lock_timeout TO '50ms'"];
const PATIENCE: &str = "SET lock_timeout TO '60s'";

/// The key of the lock by which one search at a time may run on a database.
const ONLY_PROVER: i64 = 0x696e_7465_726c_6f63;

/// The breakpoints of a database, until `remove` or the next run.
pub(super) struct Breakpoints {
    session: Client,
    /// How many there are.
    pub(super) count: u64,
    /// In how many functions.
    pub(super) functions: u64,
}

impl Breakpoints {
    /// Sets breakpoints, after mending what a run that was killed has left behind.
    pub(super) async fn set(session: Client) -> Result<Self> {
        let row = session
            .query_one("select pg_try_advisory_lock($1)", &[&ONLY_PROVER])
            .await?;
        if !row.get::<_, bool>(0) {
            bail!("another search for interleavings is running on this database");
        }
        session.batch_execute(RESTORE).await?;
        let mut change = SCHEMA.to_owned();
        let (mut count, mut functions) = (0, 0);
        for row in session.query(CANDIDATES, &[]).await? {
            let (signature, name, definition): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            let (stepped, breakpoints) = step(&name, &definition);
            let patient = LOCK_TIMEOUTS
                .iter()
                .fold(stepped, |text, timeout| text.replace(timeout, PATIENCE));
            if patient == definition {
                continue;
            }
            count += breakpoints;
            functions += u64::from(breakpoints > 0);
            change.push_str(&format!(
                "insert into prove.originals values ({}, {});\n{patient};\n",
                quote(&signature),
                quote(&definition)
            ));
        }
        session
            .batch_execute(&format!("begin;\n{change}commit;"))
            .await
            .context("breakpoints cannot be set")?;
        Ok(Breakpoints {
            session,
            count,
            functions,
        })
    }

    /// Puts the functions back as they were.
    pub(super) async fn remove(self) -> Result<()> {
        self.session
            .batch_execute(RESTORE)
            .await
            .context("the breakpoints cannot be removed; the next run does it")
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A function with a breakpoint before each statement of its body that locks, writes or looks at rows
/// of ours, and how many these are.
fn step(name: &str, definition: &str) -> (String, u64) {
    let lines: Vec<&str> = definition.lines().collect();
    let mut stepped = String::with_capacity(definition.len() * 2);
    let mut count = 0;
    let mut before = "";
    let mut inside = false;
    for (number, line) in lines.iter().enumerate() {
        let text = line.trim();
        if inside
            && begins_statement(before)
            && let Some(place) = place(&lines[number..])
        {
            stepped.push_str(&format!("perform prove.breakpoint('{name}/{place}');\n"));
            count += 1;
        }
        inside |= text == "begin";
        if !text.is_empty() && !text.starts_with("--") {
            before = text;
        }
        stepped.push_str(line);
        stepped.push('\n');
    }
    (stepped, count)
}

/// Whether the line after this one begins a statement of PL/pgSQL.
fn begins_statement(line: &str) -> bool {
    line.ends_with(';')
        || ["begin", "then", "loop", "else"]
            .iter()
            .any(|word| line == *word || line.ends_with(&format!(" {word}")))
}

/// What the statement that begins here does to which table: `lock orders`. Nothing if it touches none
/// of ours.
fn place(lines: &[&str]) -> Option<String> {
    let first = lines.first()?.trim();
    let word = first.split([' ', '(']).next()?;
    if first.starts_with("perform pg_advisory") {
        return Some("lock".to_owned());
    }
    let mut statement = String::new();
    for line in lines {
        statement.push_str(line.trim());
        statement.push(' ');
        if line.trim_end().ends_with(';') || line.trim_end().ends_with(" then") {
            break;
        }
    }
    let locks = statement.contains("for no key update") || statement.contains("for update");
    let verb = match word {
        "select" | "perform" | "with" if locks => "lock",
        "select" | "if" | "return" => "look at",
        "with" | "update" => "update",
        "insert" => "insert",
        "delete" => "delete",
        _ => return None,
    };
    table(&statement).map(|table| format!("{verb} {table}"))
}

/// The first table of ours in a statement. Settings do not change.
fn table(statement: &str) -> Option<&str> {
    ["from ", "update ", "into ", "join "]
        .iter()
        .flat_map(|word| statement.match_indices(word).map(|(at, _)| at + word.len()))
        .filter_map(|at| {
            let rest = &statement[at..];
            let rest = rest
                .strip_prefix("public.")
                .or_else(|| rest.strip_prefix("interlock."))?;
            let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
            (!rest[end..].starts_with('(') && &rest[..end] != "settings")
                .then_some((at, &rest[..end]))
        })
        .min()
        .map(|(_, table)| table)
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn a_breakpoint_stands_before_each_statement_that_locks_writes_or_looks() {
        let function = "begin
  v_window := interval '1 day';
  select p.price
  into v_price
  from interlock.products p
  where p.id = (select max(id) from interlock.settings);

  -- Why.
  if v_price > 0 then
    perform 1
    from interlock.orders o
    for no key update;
    update interlock.wallets
    set balance = 0;
  end if;
  perform interlock.lock_stock(v_ids);
  return (
    select max(r.id)
    from interlock.promo_redemptions r
  );
end
";
        let (stepped, count) = step("pay", function);
        let places: Vec<&str> = stepped
            .lines()
            .filter_map(|line| {
                line.strip_prefix("perform prove.breakpoint('")?
                    .strip_suffix("');")
            })
            .collect();
        assert_eq!(
            places,
            [
                "pay/look at products",
                "pay/lock orders",
                "pay/update wallets",
                "pay/look at promo_redemptions"
            ]
        );
        assert_eq!(count, 4);
        let rest: Vec<&str> = stepped
            .lines()
            .filter(|line| !line.contains("prove."))
            .collect();
        assert_eq!(rest, function.lines().collect::<Vec<_>>());
    }
}

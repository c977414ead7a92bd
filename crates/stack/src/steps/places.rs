//! Copies of the shop's functions in which each statement on its rows is a place where a session stops until it is let go.
//!
//! The shop's own functions stay as they are. What is stepped are copies of them in a schema that nothing else knows, made of what the
//! database has at that moment; only the statements are in there twice, with a pause before each.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

/// A statement of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// The function that it stands in.
    #[serde(rename = "in")]
    pub(crate) function: String,
    /// The statement as it is written there.
    pub(crate) sql: String,
}

/// A pause tells where it is by the session's name, which others see at once, and passes two gates of the session one after the other.
/// Whoever holds the first stops it there. To let it go on to its next pause and no further, the second is held while the first is opened.
const SCHEMA: &str = "
drop schema if exists race_lab_steps cascade;
create schema race_lab_steps;
create function race_lab_steps.pause(p_place int) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_gate constant int := nullif(current_setting('race_lab.gate', true), '');
begin
  if v_gate is not null then
    perform set_config('application_name', 'race lab ' || p_place, false);
    perform pg_advisory_lock(v_gate, 1);
    perform pg_advisory_unlock(v_gate, 1);
    perform pg_advisory_lock(v_gate, 2);
    perform pg_advisory_unlock(v_gate, 2);
  end if;
end
$$;
";

/// What may be copied: a function that changes nothing has no statement that meets anybody, unless it is a part of another one.
const FUNCTIONS: &str = "
select p.proname::text, pg_get_functiondef(p.oid)
from pg_proc p
join pg_language l on l.oid = p.prolang
where p.pronamespace = 'interlock'::regnamespace
  and p.prokind = 'f'
  and l.lanname = 'plpgsql'
  and p.provolatile = 'v'
  and p.prorettype <> 'trigger'::regtype
order by p.oid";

/// The names of what the copy of a function takes.
pub(super) const ARGUMENTS: &str = "
select p.proargnames
from pg_proc p
where p.pronamespace = 'race_lab_steps'::regnamespace and p.proname = $1";

/// Whoever is stepped waits for a person, and these limits count that.
const LOCK_TIMEOUTS: [&str; 2] = ["SET lock_timeout TO '2s'", "SET lock_timeout TO '50ms'"];
const PATIENCE: &str = "SET lock_timeout TO '10min'";

/// Makes copies of these functions and of all that they call, and says which place each number is.
pub(super) async fn make(connection: &mut PgConnection, entries: &[&str]) -> Result<Vec<Place>> {
    let functions: Vec<(String, String)> = sqlx::query_as(FUNCTIONS)
        .fetch_all(&mut *connection)
        .await?;
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, definition) in &functions {
        by_name.entry(name).or_default().push(definition);
    }
    let mut places = Vec::new();
    // None of it is checked as it is made: one may stand before what it calls.
    let mut sql = format!("begin; set local check_function_bodies = off; {SCHEMA}");
    let copied = reached(&by_name, entries);
    for name in &copied {
        for definition in &by_name[name] {
            sql += &copy(name, definition, &copied, &mut places);
            sql += ";\n";
        }
    }
    sql += "revoke execute on all functions in schema race_lab_steps from public; commit;";
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .context("the steps of the race lab cannot be made")?;
    Ok(places)
}

/// These functions, those that they call, and those that they call.
fn reached<'a>(
    by_name: &BTreeMap<&'a str, Vec<&'a str>>,
    entries: &[&'a str],
) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left = entries.to_vec();
    while let Some(name) = left.pop() {
        let Some((name, definitions)) = by_name.get_key_value(name) else {
            continue;
        };
        if reached.insert(*name) {
            left.extend(definitions.iter().flat_map(|text| calls(text)));
        }
    }
    reached
}

/// The names of ours that are called in a text.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    text.split("interlock.").skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric())?;
        rest[end..].starts_with('(').then_some(&rest[..end])
    })
}

/// The copy of a function, which calls copies, with a pause before each statement on rows of ours.
fn copy(name: &str, definition: &str, copied: &BTreeSet<&str>, places: &mut Vec<Place>) -> String {
    let lines: Vec<&str> = definition.lines().collect();
    let mut text = String::with_capacity(definition.len() * 2);
    let mut before = "";
    let mut is_inside = false;
    for (number, line) in lines.iter().enumerate() {
        let trimmed = line.trim();
        if is_inside
            && begins_statement(before)
            && let Some(statement) = statement(&lines[number..])
        {
            text += &format!("perform race_lab_steps.pause({});\n", places.len());
            places.push(Place {
                function: name.to_owned(),
                sql: statement,
            });
        }
        is_inside |= trimmed == "begin";
        if !trimmed.is_empty() && !trimmed.starts_with("--") {
            before = trimmed;
        }
        text += line;
        text.push('\n');
    }
    for timeout in LOCK_TIMEOUTS {
        text = text.replace(timeout, PATIENCE);
    }
    for name in copied {
        let [ours, stepped] =
            ["interlock", "race_lab_steps"].map(|schema| format!("{schema}.{name}("));
        text = text.replace(&ours, &stepped);
    }
    text
}

/// Whether the line after this one begins a statement of PL/pgSQL.
fn begins_statement(line: &str) -> bool {
    let words = ["begin", "then", "loop", "else"];
    line.ends_with(';')
        || words
            .iter()
            .any(|word| line.rsplit(' ').next() == Some(*word))
}

/// The statement that begins here, if it is one on rows of ours, or takes a lock that is none of a row. Settings are the same for all.
fn statement(lines: &[&str]) -> Option<String> {
    let first = lines.first()?.trim();
    let word = first.split([' ', '(']).next()?;
    if ![
        "select", "perform", "with", "if", "insert", "update", "delete",
    ]
    .contains(&word)
    {
        return None;
    }
    let is_last = |line: &&str| line.ends_with(';') || line.ends_with(" then") || *line == "then";
    let end = lines.iter().position(|line| is_last(&line.trim_end()))?;
    let indent = lines[0].len() - lines[0].trim_start().len();
    let whole: Vec<&str> = lines[..=end]
        .iter()
        .map(|line| line.get(indent..).unwrap_or(line.trim()).trim_end())
        .collect();
    let whole = whole.join("\n");
    let on_rows = ["from ", "update ", "into ", "join "].iter().any(|word| {
        whole.match_indices(word).any(|(at, _)| {
            whole[at + word.len()..]
                .strip_prefix("interlock.")
                .and_then(|rest| {
                    let end =
                        rest.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric())?;
                    Some(!rest[end..].starts_with('(') && &rest[..end] != "settings")
                })
                .unwrap_or_default()
        })
    });
    (on_rows || first.starts_with("perform pg_advisory")).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUY: &str = "CREATE OR REPLACE FUNCTION interlock.checkout(p_id uuid)
 SET lock_timeout TO '2s'
AS $function$
begin
  v_window := interval '1 day';
  -- Why.
  if v_price > 0 then
    update interlock.products p
    set available_quantity = p.available_quantity - 1
    where p.id = p_id;
  end if;
  select s.* into v_settings from interlock.settings s;
  perform interlock.take(p_id);
  perform pg_advisory_xact_lock(7);
  insert into interlock.orders (id)
  select interlock.new_id();
end
$function$";

    #[test]
    fn a_pause_stands_before_each_statement_on_rows_of_ours_and_each_lock() {
        let mut places = vec![];
        let text = copy(
            "checkout",
            BUY,
            &BTreeSet::from(["checkout", "take"]),
            &mut places,
        );
        let sql: Vec<&str> = places.iter().map(|place| place.sql.as_str()).collect();
        assert_eq!(
            sql,
            [
                "update interlock.products p\nset available_quantity = p.available_quantity - 1\nwhere p.id = p_id;",
                "perform pg_advisory_xact_lock(7);",
                "insert into interlock.orders (id)\nselect interlock.new_id();",
            ]
        );
        let rest: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains(".pause("))
            .collect();
        let expected = BUY
            .replace("interlock.checkout(", "race_lab_steps.checkout(")
            .replace("interlock.take(", "race_lab_steps.take(")
            .replace("'2s'", "'10min'");
        assert_eq!(rest, expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_called_is_copied_and_what_that_calls() {
        let functions = BTreeMap::from([
            (
                "checkout",
                vec!["begin perform interlock.take(1); insert into interlock.orders (id)"],
            ),
            (
                "take",
                vec!["one", "perform interlock.note(); interlock.checkout()"],
            ),
            ("note", vec![""]),
            ("orders", vec![""]),
        ]);
        assert_eq!(
            reached(&functions, &["checkout"]),
            BTreeSet::from(["checkout", "note", "take"])
        );
    }
}

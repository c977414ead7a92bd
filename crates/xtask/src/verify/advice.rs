//! What to do about a finding: the statement that mends it where one does, else where it is written.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use super::compare::{Finding, State, granted_on, granted_to};
use crate::repo::Repo;

/// The migrations, to look up where a thing is made.
pub(super) struct Migrations {
    files: Vec<(String, String)>,
}

impl Migrations {
    pub(super) fn read(repo: &Repo) -> Result<Self> {
        let folder = repo.root.join("supabase/migrations");
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).context("there is no supabase/migrations")? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".sql") {
                files.push((name.into_owned(), fs::read_to_string(&path)?));
            }
        }
        files.sort();
        Ok(Self { files })
    }

    /// The newest migration that says anything about a thing of that name.
    fn about(&self, name: &str) -> String {
        let short = name.split('(').next().unwrap_or(name);
        let short = short.rsplit('.').next().unwrap_or(short);
        let written = |text: &str| {
            text.lines()
                .filter_map(|line| line.split("--").next())
                .any(|line| words(line).any(|word| word == short))
        };
        self.files
            .iter()
            .rev()
            .find(|(_, text)| written(text))
            .map_or_else(
                || "the migrations".to_owned(),
                |(file, _)| format!("supabase/migrations/{file}"),
            )
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// A statement to run, or where to find one.
pub(super) fn todo(finding: &Finding, migrations: &Migrations) -> String {
    let Finding {
        kind, name, state, ..
    } = finding;
    let file = || migrations.about(name);
    match (kind.as_str(), state) {
        ("migration", _) => format!(
            "push it: `npm run deploy -- --project-ref REF`, or `npx supabase db push --remote=REF`. If it was run by hand: \
             `npx supabase migration repair --remote=REF --status applied {name}`"
        ),
        ("row security", State::Different { expected, .. }) if expected != "on" => {
            format!("alter table {name} enable row level security, force row level security;")
        }
        ("row security", _) => format!("alter table {name} enable row level security;"),
        ("grant", state) => grant(name, state),
        ("trigger", State::Different { found, .. }) if found.ends_with("(disabled)") => {
            let (table, trigger) = below_table(name);
            format!("alter table {table} enable trigger {trigger};")
        }
        ("constraint", State::Different { found, .. }) if found.ends_with("NOT VALID") => {
            let (table, constraint) = below_table(name);
            format!("alter table {table} validate constraint {constraint};")
        }
        ("constraint", State::Different { found, .. }) if found.ends_with("disabled)") => {
            let (table, _) = below_table(name);
            format!("alter table {table} enable trigger all;")
        }
        ("constraint", State::Missing { expected }) => {
            let (table, constraint) = below_table(name);
            format!("alter table {table} add constraint {constraint} {expected};")
        }
        ("index" | "trigger", State::Missing { expected }) => format!("{expected};"),
        ("function" | "policy" | "view", State::Different { .. }) => format!(
            "somebody has changed it; put it back as {} has it, in a migration of your own",
            file()
        ),
        _ => format!("run again what {} says about it", file()),
    }
}

/// Only what is too little or too much.
fn grant(name: &str, state: &State) -> String {
    let Some(((kind, object), role)) = granted_on(name).zip(granted_to(name)) else {
        return String::new();
    };
    let (expected, found) = match state {
        State::Missing { expected } => (expected.as_str(), ""),
        State::Unexpected { found } => ("", found.as_str()),
        State::Different { expected, found } => (expected.as_str(), found.as_str()),
        State::Rows => ("", ""),
    };
    let rights = |text: &str| -> BTreeSet<String> {
        text.split(", ")
            .filter(|right| !right.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (expected, found) = (rights(expected), rights(found));
    let (object, column) = match kind {
        "column" => {
            let (table, column) = below_table(object);
            (format!("table {table}"), format!(" ({column})"))
        }
        _ => (format!("{kind} {object}"), String::new()),
    };
    let list = |rights: Vec<&String>| {
        let each = rights.iter().map(|right| format!("{right}{column}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let too_little: Vec<_> = expected.difference(&found).collect();
    let too_much: Vec<_> = found.difference(&expected).collect();
    let mut statements = Vec::new();
    if !too_little.is_empty() {
        statements.push(format!("grant {} on {object} to {role};", list(too_little)));
    }
    if !too_much.is_empty() {
        statements.push(format!(
            "revoke {} on {object} from {role};",
            list(too_much)
        ));
    }
    statements.join(" ")
}

/// The table, and the name of what is part of it.
fn below_table(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(kind: &str, name: &str, state: State) -> String {
        let migrations = Migrations {
            files: vec![
                (
                    "1_a.sql".into(),
                    "create function interlock.f()\n-- and g".into(),
                ),
                (
                    "2_b.sql".into(),
                    "-- f is used here\nselect interlock.ff();".into(),
                ),
            ],
        };
        let finding = Finding {
            kind: kind.into(),
            name: name.into(),
            state,
            todo: String::new(),
        };
        todo(&finding, &migrations)
    }

    #[test]
    fn a_grant_is_mended_by_what_it_lacks_and_what_it_has_too_much() {
        let state = State::Different {
            expected: "DELETE, SELECT".into(),
            found: "SELECT, UPDATE".into(),
        };
        assert_eq!(
            advice("grant", "table public.a to anon", state),
            "grant delete on table public.a to anon; revoke update on table public.a from anon;"
        );
        let state = State::Missing {
            expected: "INSERT, UPDATE".into(),
        };
        assert_eq!(
            advice("grant", "column public.a.x to anon", state),
            "grant insert (x), update (x) on table public.a to anon;"
        );
    }

    #[test]
    fn a_lost_constraint_comes_with_its_statement() {
        let state = State::Missing {
            expected: "CHECK ((x >= 0))".into(),
        };
        assert_eq!(
            advice("constraint", "public.a.x_not_negative", state),
            "alter table public.a add constraint x_not_negative CHECK ((x >= 0));"
        );
    }

    #[test]
    fn a_function_is_looked_up_in_the_migration_that_makes_it() {
        let state = State::Missing {
            expected: String::new(),
        };
        assert!(advice("function", "interlock.f(uuid)", state).contains("1_a.sql"));
    }
}

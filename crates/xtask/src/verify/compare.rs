//! Compares what a database has with what the migrations make.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// One thing in a database: a table, a constraint, a grant ….
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    pub(crate) kind: String,
    /// With its schema, and below a table with the table's name.
    pub(crate) name: String,
    /// What it is, in Postgres's words.
    pub(crate) definition: String,
}

/// Something that is not as the migrations make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: String,
    pub(super) name: String,
    pub(super) state: State,
    /// What to do about it.
    pub(crate) todo: String,
}

/// In which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Missing {
        expected: String,
    },
    Different {
        expected: String,
        found: String,
    },
    /// A right that the migrations do not give.
    Unexpected {
        found: String,
    },
    /// The rows themselves are not in order.
    Rows,
}

impl Thing {
    /// A row of the inventory.
    pub(crate) fn read(row: &Value) -> Result<Self> {
        let text = |key: &str| -> Result<String> {
            let text = row[key]
                .as_str()
                .with_context(|| format!("the inventory has a row without {key}: {row}"))?;
            // Deparsed expressions break their lines, and not in every version alike.
            Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        Ok(Self {
            kind: text("kind")?,
            name: text("name")?,
            definition: text("definition")?,
        })
    }

    /// The same row, as the snapshot keeps it: what it is about comes first.
    pub(crate) fn as_line(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        format!(
            "{{\"kind\": {}, \"name\": {}, \"definition\": {}}}",
            quoted(&self.kind),
            quoted(&self.name),
            quoted(&self.definition)
        )
    }

    pub(super) fn key(&self) -> (&str, &str) {
        (&self.kind, &self.name)
    }
}

impl Finding {
    fn new(thing: &Thing, state: State) -> Self {
        Self {
            kind: thing.kind.clone(),
            name: thing.name.clone(),
            state,
            todo: String::new(),
        }
    }

    /// A finding about rows.
    pub(super) fn in_rows(subject: String, todo: String) -> Self {
        Self {
            kind: "rows".to_owned(),
            name: subject,
            state: State::Rows,
            todo,
        }
    }

    /// Whether a table is missing, by itself or with its schema.
    pub(crate) fn is_missing_table(&self) -> bool {
        matches!(self.kind.as_str(), "schema" | "table" | "view")
            && matches!(self.state, State::Missing { .. })
    }

    /// One line.
    pub(crate) fn shown(&self) -> String {
        let Self { kind, name, .. } = self;
        match &self.state {
            State::Missing { .. } => format!("{kind} {name} is missing"),
            State::Different { expected, found } => {
                format!("{kind} {name} is `{found}`, not `{expected}`")
            }
            State::Unexpected { found } => {
                format!("{kind} {name} gives {found}, which nobody should have")
            }
            State::Rows => name.clone(),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let (state, expected, found) = match &self.state {
            State::Missing { expected } => ("missing", Some(expected), None),
            State::Different { expected, found } => ("different", Some(expected), Some(found)),
            State::Unexpected { found } => ("unexpected", None, Some(found)),
            State::Rows => ("rows", None, None),
        };
        json!({
            "kind": self.kind, "name": self.name, "state": state,
            "expected": expected, "found": found, "todo": self.todo,
        })
    }
}

/// Everything that is missing or different, in the order of the expectation, then the rights on things
/// of ours that nothing gives. What a shop has beside ours is its own business.
pub(super) fn compare(expected: &[Thing], found: &[Thing]) -> Vec<Finding> {
    let by_key: BTreeMap<_, _> = found.iter().map(|thing| (thing.key(), thing)).collect();
    let wanted: BTreeMap<_, _> = expected.iter().map(|thing| (thing.key(), thing)).collect();
    // Where the project has something of its own under a name in public, there is no view of ours.
    let given_way = |thing: &Thing| {
        let name = object_of(thing);
        found.iter().any(|taken| {
            taken.kind == "taken"
                && name
                    .strip_prefix(taken.name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let differences = expected.iter().filter_map(|thing| {
        if given_way(thing) {
            return None;
        }
        let expected = thing.definition.clone();
        let state = match by_key.get(&thing.key()) {
            None => State::Missing { expected },
            Some(other) if other.definition == thing.definition => return None,
            Some(other) => State::Different {
                expected,
                found: other.definition.clone(),
            },
        };
        Some(Finding::new(thing, state))
    });
    let rights = found.iter().filter_map(|thing| {
        let ours = thing.kind == "grant"
            && !wanted.contains_key(&thing.key())
            && granted_on(&thing.name).is_some_and(|(kind, name)| is_ours(expected, kind, name));
        ours.then(|| {
            Finding::new(
                thing,
                State::Unexpected {
                    found: thing.definition.clone(),
                },
            )
        })
    });
    without_consequences(differences.chain(rights).collect())
}

/// The table, view, function or part of one that a thing is about, by its name.
fn object_of(thing: &Thing) -> &str {
    match thing.kind.as_str() {
        "grant" => granted_on(&thing.name).map_or("", |(_, name)| name),
        "comment" | "owner" => thing.name.split_once(' ').map_or("", |(_, name)| name),
        _ => &thing.name,
    }
}

/// What a grant is on: `table public.orders to anon` is on `("table", "public.orders")`.
pub(super) fn granted_on(grant: &str) -> Option<(&str, &str)> {
    let (object, _) = grant.rsplit_once(" to ")?;
    object.split_once(' ')
}

/// Who has it.
pub(super) fn granted_to(grant: &str) -> Option<&str> {
    grant.rsplit_once(" to ").map(|(_, role)| role)
}

fn is_ours(expected: &[Thing], kind: &str, name: &str) -> bool {
    expected.iter().any(|thing| {
        thing.name == name && (thing.kind == kind || (kind == "table" && thing.kind == "view"))
    })
}

/// Without what is missing only because its table or function is, or the table that a view shows, or the whole
/// schema: one line tells it.
fn without_consequences(findings: Vec<Finding>) -> Vec<Finding> {
    let gone: Vec<String> = findings
        .iter()
        .filter(|finding| {
            matches!(
                finding.kind.as_str(),
                "table" | "view" | "function" | "schema"
            )
        })
        .filter(|finding| matches!(finding.state, State::Missing { .. }))
        .map(|finding| finding.name.clone())
        .collect();
    let follows = |finding: &Finding| {
        let name = match finding.kind.as_str() {
            "grant" => granted_on(&finding.name).map_or("", |(_, name)| name),
            "comment" | "owner" => finding.name.split_once(' ').map_or("", |(_, name)| name),
            _ => &finding.name,
        };
        let shown = finding.kind == "view"
            && name
                .strip_prefix("public.")
                .is_some_and(|table| gone.contains(&format!("interlock.{table}")));
        shown
            || gone.iter().any(|gone| {
                name.strip_prefix(gone.as_str()).is_some_and(|rest| {
                    rest.starts_with('.')
                        || (rest.is_empty() && finding.kind != "schema" && !is_object(finding))
                })
            })
    };
    let consequences: Vec<bool> = findings.iter().map(follows).collect();
    findings
        .into_iter()
        .zip(consequences)
        .filter_map(|(finding, follows)| (!follows).then_some(finding))
        .collect()
}

fn is_object(finding: &Finding) -> bool {
    matches!(finding.kind.as_str(), "table" | "view" | "function")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(kind: &str, name: &str, definition: &str) -> Thing {
        Thing {
            kind: kind.to_owned(),
            name: name.to_owned(),
            definition: definition.to_owned(),
        }
    }

    fn shown(expected: &[Thing], found: &[Thing]) -> Vec<String> {
        compare(expected, found)
            .iter()
            .map(Finding::shown)
            .collect()
    }

    #[test]
    fn what_is_missing_or_different_is_named_and_nothing_else() {
        let expected = [
            thing("table", "public.a", "there"),
            thing("constraint", "public.a.c", "CHECK (x)"),
            thing("trigger", "public.a.t", "CREATE"),
        ];
        let found = [
            thing("table", "public.a", "there"),
            thing("table", "public.shop_s_own", "there"),
            thing("trigger", "public.a.t", "CREATE (disabled)"),
        ];
        assert_eq!(
            shown(&expected, &found),
            [
                "constraint public.a.c is missing",
                "trigger public.a.t is `CREATE (disabled)`, not `CREATE`"
            ]
        );
    }

    #[test]
    fn a_missing_table_is_told_once() {
        let expected = [
            thing("column", "public.a.x", "int"),
            thing("grant", "table public.a to anon", "SELECT"),
            thing("row security", "public.a", "on"),
            thing("table", "public.a", "there"),
            thing("table", "public.a_b", "there"),
        ];
        assert_eq!(
            shown(&expected, &expected[4..]),
            ["table public.a is missing"]
        );
    }

    #[test]
    fn a_view_of_a_missing_table_is_not_told_apart() {
        let expected = [
            thing("table", "interlock.a", "there"),
            thing("view", "public.a", "there"),
            thing("grant", "table public.a to anon", "SELECT"),
        ];
        assert_eq!(shown(&expected, &[]), ["table interlock.a is missing"]);
    }

    #[test]
    fn a_view_that_gives_way_is_not_missed() {
        let expected = [
            thing("column", "public.a.x", "int"),
            thing("comment", "table public.a", "digest"),
            thing("grant", "table public.a to anon", "SELECT"),
            thing("view", "public.a", "there"),
            thing("view", "public.ab", "there"),
        ];
        let found = [thing("taken", "public.a", "by something else")];
        assert_eq!(shown(&expected, &found), ["view public.ab is missing"]);
    }

    #[test]
    fn a_right_that_nothing_gives_is_named_on_our_things_only() {
        let ours = [thing("table", "public.a", "there")];
        let found = [
            thing("table", "public.a", "there"),
            thing("grant", "table public.a to anon", "UPDATE"),
            thing("grant", "table public.shop_s_own to anon", "UPDATE"),
        ];
        assert_eq!(
            shown(&ours, &found),
            ["grant table public.a to anon gives UPDATE, which nobody should have"]
        );
    }
}

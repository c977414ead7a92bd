//! Where there are many shops (`interlock.serve_shops`): what is expected there, and how the rows of each are looked at.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::compare::{Finding, State, Thing};
use crate::repo::Repo;
use crate::supabase::Supabase;

/// What makes of what is as it was installed what there has to be.
const SERVE: &str = "select interlock.serve_shops();";

/// Rows of the query in each shop; what is the same in several is said once, with the first of them. What to do is done in the shop: with the rights
/// of its functions where it is about tables, else as whoever does it.
const IN_EACH_SHOP: &str = "
with said as (
  select r - 'shop' as said, array_agg(r ->> 'shop' order by (r ->> 'shop')::int) as shops
  from interlock.in_each_shop($in_each_shop$QUERY$in_each_shop$) r
  group by 1
)
select
  s.said ->> 'part' as part,
  s.said ->> 'level' as level,
  concat(
    case when s.shops[1] is not null then format(
      '%s %s%s: ',
      case when cardinality(s.shops) = 1 then 'shop' else 'shops' end,
      array_to_string(s.shops[1:5], ', '),
      case when cardinality(s.shops) > 5 then format(' and %s more', cardinality(s.shops) - 5) end
    ) end,
    s.said ->> 'subject'
  ) as subject,
  concat(
    s.said ->> 'todo',
    case
      when s.shops[1] is null then ''
      when s.said ->> 'todo' ~ '\\mpublic[.]' then format(' (after `begin; set local interlock.shop = %L;`, before `commit`)', s.shops[1])
      when s.said ->> 'todo' ~ '\\minterlock[.]' then format(' (after `begin; select interlock.act_for(%s);`, before `commit`)', s.shops[1])
    end
  ) as todo
from said s
order by s.said ->> 'part', s.said ->> 'level' desc, s.said ->> 'subject', s.shops[1]::int";

/// Whether this is the inventory of a database that serves many.
pub(super) fn are_many(found: &[Thing]) -> bool {
    found
        .iter()
        .any(|thing| thing.kind == "column" && thing.name == "interlock.settings.shop_id")
}

/// What is otherwise where there are many; of what is not there any more, without its definition.
pub(crate) fn changes(one: &[Thing], many: &[Thing]) -> Vec<Thing> {
    let (one, many) = (by_key(one), by_key(many));
    let gone = one
        .iter()
        .filter(|(key, _)| !many.contains_key(*key))
        .map(|(_, thing)| Thing {
            definition: String::new(),
            ..(*thing).clone()
        });
    let other = many
        .iter()
        .filter(|(key, thing)| one.get(*key) != Some(thing))
        .map(|(_, thing)| (*thing).clone());
    gone.chain(other).collect()
}

/// What is expected where there are many.
pub(super) fn expected(one: &[Thing], changes: &[Thing]) -> Vec<Thing> {
    let mut many = by_key(one);
    many.extend(by_key(changes));
    many.into_values()
        .filter(|thing| !thing.definition.is_empty())
        .cloned()
        .collect()
}

fn by_key(things: &[Thing]) -> BTreeMap<(&str, &str), &Thing> {
    things.iter().map(|thing| (thing.key(), thing)).collect()
}

/// What to do about what keeps shops apart, where it is as it was installed, or of the shops alone. `one` is what is expected where there is one shop.
pub(super) fn todo(finding: &Finding, one: &[Thing]) -> Option<String> {
    let (kind, name) = (finding.kind.as_str(), finding.name.as_str());
    let installed = one.iter().find(|thing| thing.key() == (kind, name));
    let serve = SERVE.to_owned();
    match (kind, &finding.state, installed) {
        ("role", ..) => Some(format!(
            "alter role {name} nologin nosuperuser nobypassrls;"
        )),
        ("owner", State::Different { expected, .. }, _) if expected != "interlock_owner" => {
            // With it go the rights of whoever had it.
            Some(format!("alter {name} owner to postgres; {SERVE}"))
        }
        ("policy", State::Different { .. }, None) => {
            let (table, policy) = name.rsplit_once('.')?;
            Some(format!("drop policy {policy} on {table}; {SERVE}"))
        }
        ("owner", ..) | (_, State::Missing { .. }, None) => Some(serve),
        ("column", State::Different { .. }, None) => Some(serve),
        (_, State::Different { found, .. }, Some(installed)) if *found == installed.definition => {
            Some(serve)
        }
        _ => None,
    }
}

/// The rows of a query about a shop, in each where there are many.
pub(crate) fn rows(
    repo: &Repo,
    supabase: &Supabase<'_>,
    many: bool,
    file: &str,
) -> Result<Vec<Value>> {
    if !many {
        return supabase.rows(file);
    }
    let query =
        fs::read_to_string(repo.root.join(file)).with_context(|| format!("cannot read {file}"))?;
    let query = query.trim_end().trim_end_matches(';');
    supabase.select(&IN_EACH_SHOP.replace("QUERY", query))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(name: &str, definition: &str) -> Thing {
        Thing {
            kind: "policy".to_owned(),
            name: name.to_owned(),
            definition: definition.to_owned(),
        }
    }

    #[test]
    fn what_is_otherwise_makes_the_one_of_the_other() {
        let one = [thing("a", "1"), thing("b", "1"), thing("c", "1")];
        let many = [thing("a", "1"), thing("c", "2"), thing("d", "1")];
        let changes = changes(&one, &many);
        assert_eq!(changes, [thing("b", ""), thing("c", "2"), thing("d", "1")]);
        assert_eq!(expected(&one, &changes), many);
        assert_eq!(expected(&one, &[]), one);
    }

    #[test]
    fn what_is_as_it_was_installed_is_made_the_shops() {
        let one = [thing("t.a", "1")];
        let todo = |name: &str, state: State| {
            let finding = Finding {
                kind: "policy".to_owned(),
                name: name.to_owned(),
                state,
                todo: String::new(),
            };
            todo(&finding, &one)
        };
        let missing = || State::Missing {
            expected: String::new(),
        };
        let found = |found: &str| State::Different {
            expected: "2".to_owned(),
            found: found.to_owned(),
        };
        assert_eq!(todo("t.b", missing()).as_deref(), Some(SERVE));
        assert_eq!(todo("t.a", found("1")).as_deref(), Some(SERVE));
        assert_eq!(
            todo("t.b", found("1")).as_deref(),
            Some("drop policy b on t; select interlock.serve_shops();")
        );
        assert_eq!(todo("t.a", missing()), None, "it was never there");
        assert_eq!(todo("t.a", found("3")), None, "somebody has changed it");
    }
}

//! Nothing of ours leaves anything in a session for the next transaction: a pooler in transaction mode would give it to
//! somebody else, or lose it.

use anyhow::Result;
use tokio_postgres::Client;

/// What a session can keep, how it looks in the text of a function, and an example.
pub(crate) const KINDS: [(&str, &str, &str); 8] = [
    (
        "an advisory lock of the session",
        r"\mpg_(try_)?advisory_lock(_shared)?\M",
        "perform pg_advisory_lock(1)",
    ),
    (
        "a setting that outlives the transaction",
        r"\mset_config\s*\([^;]*,\s*false\s*\)",
        "perform set_config('a.b', 'c', false)",
    ),
    (
        "a setting of the session",
        r"(^|;|\mbegin\M|\mthen\M)\s*set\s+(session\s+)?(?!local\M|constraints\M|transaction\M)[a-z_.]+\s*(=|\mto\M)",
        "set search_path = public",
    ),
    (
        "a temporary table",
        r"\mcreate\s+(local\s+|global\s+)?temp(orary)?\M",
        "create temp table t (a int)",
    ),
    (
        "a prepared statement",
        r"(^|;|'|\mbegin\M|\mthen\M)\s*prepare\s+[a-z_]+",
        "execute 'prepare p as select 1'",
    ),
    (
        "a listener",
        r"(^|;|'|\mbegin\M|\mthen\M)\s*listen\s+[a-z_]+",
        "listen a",
    ),
    (
        "a cursor that outlives the transaction",
        r"\mwith\s+hold\M",
        "execute 'declare c cursor with hold for select 1'",
    ),
    (
        "the last value of a sequence",
        r"\m(currval|lastval)\s*\(",
        "perform lastval()",
    ),
];

/// Functions that keep something.
pub(crate) async fn kept(db: &Client) -> Result<Vec<String>> {
    let (what, patterns): (Vec<&str>, Vec<&str>) = KINDS
        .iter()
        .map(|(what, pattern, _)| (*what, *pattern))
        .unzip();
    let rows = db
        .query(
            r"select f.name || ' has ' || k.what
              from (
                select p.oid::regprocedure::text as name,
                  regexp_replace(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), '/\*.*?\*/', '', 'g') as text
                from pg_proc p
                where p.pronamespace in ('interlock'::regnamespace, 'public'::regnamespace)
                  -- Those of extensions are not ours.
                  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
              ) f
              join unnest($1::text[], $2::text[]) as k (what, pattern) on f.text ~* k.pattern
              order by 1",
            &[&what, &patterns],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The kinds that [`kept`] would not see.
pub(crate) async fn overlooked(db: &mut Client) -> Result<Vec<String>> {
    let mut blind = Vec::new();
    for (what, _, example) in KINDS {
        let draft = db.transaction().await?;
        let define = format!(
            "create function interlock.scale_example() returns void language plpgsql as $example$ begin {example}; end $example$"
        );
        draft.batch_execute(&define).await?;
        let found = kept(draft.client()).await?;
        let told = found
            .iter()
            .any(|found| found.contains("scale_example") && found.ends_with(what));
        if !told {
            blind.push(format!("the check overlooks {what}"));
        }
        draft.rollback().await?;
    }
    Ok(blind)
}

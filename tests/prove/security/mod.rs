//! Who may do what: every right of the database against docs/permissions.md, and then every right, every
//! credential, every field and every way to read what is another user's, tried over HTTP.

mod endpoints;
mod guesses;
mod http;
mod injection;
#[cfg(test)]
mod mutants;
mod others;
mod people;
mod rights;
mod rules;
mod tokens;
mod verbs;

use crate::harness::stack::{Bench, Stack};
use crate::prove::Search;
use crate::prove::report::{Section, progress};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio_postgres::Client;

/// Runs the section.
pub(crate) async fn run(search: &Search) -> Result<Section> {
    let mut section = Section::new("security");
    let bench = Bench::take().await;
    debug_assert!(std::ptr::eq(bench.stack, search.stack));
    progress(section.name, "the rights that the database grants");
    compare(&bench.db, &mut section).await?;
    let cast = people::Cast::new(&bench).await?;
    progress(section.name, "every table, caller and verb");
    verbs::check(&bench, &cast, &mut section).await?;
    progress(section.name, "every credential");
    tokens::check(&bench, &cast, &mut section).await?;
    progress(section.name, "what is another user's");
    others::check(&bench, &cast, &mut section).await?;
    progress(section.name, "promo codes guessed, hostile text");
    guesses::check(&bench, &mut section).await?;
    injection::check(&bench, &cast, &mut section).await?;
    Ok(section)
}

/// Writes docs/permissions.md as the database has it.
pub(crate) async fn write_permissions(stack: &Stack) -> Result<()> {
    let page = rights::page(&stack.connect().await).await?;
    let path = in_repository("docs/permissions.md");
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote docs/permissions.md");
    Ok(())
}

/// The rights against the page, and the rules.
async fn compare(db: &Client, section: &mut Section) -> Result<()> {
    let path = in_repository("docs/permissions.md");
    let file = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let others = others_migrations(db).await?;
    if !others.is_empty() {
        section.left_out.push(format!(
            "objects of this project's own migrations ({} of them) are not compared with docs/permissions.md",
            others.len()
        ));
    }
    let page = rights::page(db).await?;
    section
        .failures
        .extend(rights::differences(&page, &file, !others.is_empty()));
    let storage = rules::has_storage(db).await?;
    if !storage {
        section
            .left_out
            .push("the policies on payment proofs' files: this stack has no storage".to_owned());
    }
    let (broken, asked) = rules::broken(db, storage).await?;
    if others.is_empty() {
        section.failures.extend(broken);
    } else {
        section.left_out.extend(
            broken
                .into_iter()
                .map(|rule| format!("perhaps not ours: {rule}")),
        );
    }
    let (tables, functions) = rights::count(db).await?;
    section.count("rights on tables, views and sequences compared", tables);
    section.count("rights on functions compared", functions);
    section.count("rules about all rights", asked);
    Ok(())
}

/// Migrations of the database that are not Interlock's: then it has objects that are not, either.
async fn others_migrations(db: &Client) -> Result<Vec<String>> {
    let ours: BTreeSet<String> = std::fs::read_dir(in_repository("supabase/migrations"))?
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.split_once('_')?.0.to_owned()))
        .collect();
    let rows = db
        .query(
            "select version::text from supabase_migrations.schema_migrations",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|version| !ours.contains(version))
        .collect())
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

//! pgTAP files on a broken product: the mutant lives in the transaction that the file rolls back.

use super::sites::Mutant;
use crate::harness::stack::Stack;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tokio_postgres::Client;

/// What a mutant's tests found.
pub(super) enum Found {
    /// A test fails.
    Failure(String),
    /// No test fails.
    Nothing,
    /// The mutant cannot run.
    NotSql(String),
}

/// Syntax errors, unknown or ambiguous names, wrong types.
const NOT_SQL: [&str; 6] = ["42601", "42702", "42703", "42804", "42883", "42P01"];

/// The pgTAP files and which of them are about what.
pub(super) struct DatabaseTests {
    files: Vec<(String, String)>,
    /// By object, the files that the migrations name for it.
    named: BTreeMap<String, Vec<String>>,
}

impl DatabaseTests {
    /// Reads supabase/.
    pub(super) fn read() -> Self {
        let supabase = Path::new(env!("CARGO_MANIFEST_DIR")).join("../supabase");
        let files = sql_files(&supabase.join("tests"))
            .into_iter()
            .map(|path| (file_name(&path), read(&path)))
            .collect();
        let mut named = BTreeMap::new();
        for path in sql_files(&supabase.join("migrations")) {
            read_headers(&read(&path), &mut named);
        }
        Self { files, named }
    }

    /// Runs the files that are about the object until one fails.
    pub(super) async fn find_failure(&self, stack: &Stack, mutant: &Mutant) -> Found {
        find_failure(&self.about(mutant), stack, &mutant.sql).await
    }

    /// What fails without any mutant.
    pub(super) async fn find_failure_of_the_whole(&self, stack: &Stack) -> Found {
        let files: Vec<_> = self.files.iter().collect();
        find_failure(&files, stack, "").await
    }
    /// The files about the object first; for what is in a function, then the others.
    fn about(&self, mutant: &Mutant) -> Vec<&(String, String)> {
        let mut names = self.named.get(&mutant.object).cloned().unwrap_or_default();
        // Where most of a kind are noticed comes first; then all the others.
        let usual = match mutant.kind {
            "access" => "05-rights.sql",
            "setting" => "07-function-settings.sql",
            "function" => "20-other-rows.sql",
            _ => "06-constraints.sql",
        };
        if matches!(mutant.kind, "access" | "setting") {
            names.clear();
        }
        names.push(usual.to_owned());
        names.extend(self.files.iter().map(|(name, _)| name.clone()));
        let mut files: Vec<&(String, String)> = Vec::new();
        for name in names {
            let file = self.files.iter().find(|(file, _)| *file == name);
            files.extend(file.filter(|(file, _)| files.iter().all(|(other, _)| other != file)));
        }
        files
    }
}

/// Runs files until one fails, each on the product with this change.
async fn find_failure(files: &[&(String, String)], stack: &Stack, change: &str) -> Found {
    let client = stack.connect().await;
    for (name, sql) in files {
        // What loops for ever is stopped, and noticed.
        let begin = format!("begin; set local statement_timeout = '5s'; {change}");
        if let Err(error) = client.batch_execute(&begin).await {
            return Found::NotSql(format!("{error:?}"));
        }
        let report = pgtap::run(&client, sql).await;
        let report = report.expect("the files are SQL and nothing else");
        let said = || report.failures.iter().chain(&report.problems);
        if let Some(not_sql) = said().find(|text| is_not_sql(text)) {
            return Found::NotSql(format!("{name}: {not_sql}"));
        }
        if let Some(first) = said().next() {
            let first = first.lines().next().unwrap_or_default();
            return Found::Failure(format!("{name}: {first}"));
        }
        execute(&client, "rollback").await;
    }
    Found::Nothing
}

/// Whether the error says that the mutant is no SQL that could run: it would prove nothing.
fn is_not_sql(text: &str) -> bool {
    NOT_SQL
        .iter()
        .any(|code| text.contains(&format!(" {code} ")) || text.contains(&format!(" {code}:")))
}

async fn execute(client: &Client, sql: &str) {
    client
        .batch_execute(sql)
        .await
        .expect("the session goes on");
}

/// Each function's own `Tests:` line; for tables that of the whole migration.
fn read_headers(migration: &str, named: &mut BTreeMap<String, Vec<String>>) {
    let mut tests: Vec<String> = Vec::new();
    for line in migration.lines() {
        if let Some(list) = line.strip_prefix("-- Tests: ") {
            tests = list
                .split(", ")
                .map(|name| file_name(Path::new(name)))
                .collect();
        }
        let object = ["create function ", "create table "]
            .iter()
            .find_map(|create| line.strip_prefix(create))
            .and_then(|rest| rest.split(['(', ' ']).next())
            .and_then(|name| name.split('.').nth(1));
        if let Some(object) = object {
            named.insert(object.to_owned(), tests.clone());
        }
    }
}

/// The SQL files of a folder and of its folders.
fn sql_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("supabase/ stands beside tests/");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(sql_files(&path));
        } else if path.extension().is_some_and(|end| end == "sql") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .expect("it was listed by name")
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

//! What a function lacks: everything that a person writes for it, and may have forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use interlock_domain::describe;
use interlock_domain::errors::Code;
use interlock_domain::function::Function;
use interlock_domain::json::SerdeJson;

use super::FILL_IN;

/// Every part that is missing, each with its place.
pub(crate) fn parts(root: &Path, function: &Function) -> Vec<String> {
    let mut missing = [
        in_record(function),
        in_samples(root, function),
        in_sql(root, function),
        in_tests(root, function),
        in_docs(root, function),
        to_fill_in(root, function),
    ]
    .concat();
    for part in &mut missing {
        *part = format!("{}: {part}", function.name);
    }
    missing
}

/// Where its record is.
fn record(function: &Function) -> String {
    format!(
        "crates/domain/src/{}/{}.rs",
        function.told.area,
        function.ident()
    )
}

fn in_record(function: &Function) -> Vec<String> {
    let (told, place) = (&function.told, record(function));
    let words = [
        ("purpose", told.purpose),
        ("summary", told.summary),
        ("description", told.description),
    ];
    let empty = words.iter().filter(|(_, word)| word.trim().is_empty());
    let mut missing: Vec<String> = empty
        .map(|(what, _)| format!("{place} has no {what}"))
        .collect();
    for field in describe::fields(function) {
        let at = format!("{}/{}", field.parent, field.name);
        if !told
            .fields
            .iter()
            .any(|(name, word)| *name == at && !word.trim().is_empty())
        {
            missing.push(format!("{place} does not say what {at} means"));
        }
    }
    if !told.schemas.iter().any(|(name, _)| *name == told.answer) {
        missing.push(format!("{place} has no schema {}", told.answer));
    }
    if told.samples.is_empty() {
        missing.push(format!("{place} has no sample request"));
    }
    missing
}

fn in_samples(root: &Path, function: &Function) -> Vec<String> {
    let corpus = format!("tests/corpus/{}.json", function.name);
    let recorded = read(&root.join(&corpus));
    let cases: Vec<serde_json::Value> = serde_json::from_str(&recorded).unwrap_or_default();
    let mut missing = Vec::new();
    for sample in function.told.samples {
        match function.arguments(&SerdeJson, sample.body) {
            None => missing.push(format!("the sample {:?} is refused", sample.name)),
            Some(arguments) => missing.extend(
                (function.told.always.iter())
                    .filter(|name| arguments.json.get(name).is_none())
                    .map(|name| format!("the sample {:?} does not lead to {name}", sample.name)),
            ),
        }
        if !cases
            .iter()
            .any(|case| case["request"]["body"] == sample.body)
        {
            missing.push(format!(
                "{corpus} lacks the sample {:?}: RECORD=1 cargo test -p interlock-domain --test corpus",
                sample.name
            ));
        }
    }
    missing
}

fn in_sql(root: &Path, function: &Function) -> Vec<String> {
    let rpc = function.rpc;
    let mut missing = Vec::new();
    let wrapper = sql_of(root, "api", rpc);
    let start = format!("create function public.{rpc}(");
    match wrapper
        .split_once(&start)
        .and_then(|(_, rest)| rest.split_once(')'))
    {
        None => missing.push(format!(
            "supabase/schemas/*/api/{rpc}.sql has no public.{rpc}"
        )),
        Some((arguments, _)) => {
            let top = describe::fields(function)
                .into_iter()
                .filter(|field| field.parent.is_empty())
                .map(|field| field.name);
            let key = function.is_keyed().then(|| "idempotency_key".to_owned());
            let of_fields = top.chain(key).map(|name| format!("p_{name}"));
            let always = function.told.always.iter().map(|name| (*name).to_owned());
            let names: BTreeSet<String> = of_fields.chain(always).collect();
            for name in names {
                if !words(arguments).any(|word| word == name) {
                    missing.push(format!("public.{rpc} has no argument {name}"));
                }
            }
            if !wrapper.contains(&format!("\ncomment on function public.{rpc}(")) {
                missing.push(format!("public.{rpc} has no comment"));
            }
        }
    }
    let worker = sql_of(root, "functions", rpc);
    if !worker.contains(&format!("create function interlock.{rpc}(")) {
        missing.push(format!(
            "supabase/schemas/*/functions/{rpc}.sql has no interlock.{rpc}"
        ));
    }
    let rights: String = folders(&root.join("supabase/schemas"))
        .iter()
        .map(|area| read(&area.join("rights.sql")))
        .collect();
    // A comment may have a semicolon.
    let rights: String = rights
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let grants = rights.split(';').filter(|statement| {
        let mut lines = statement.lines();
        lines.any(|line| line.starts_with("grant execute"))
    });
    if !grants
        .into_iter()
        .any(|grant| grant.contains(&format!("public.{rpc}(")))
    {
        missing.push(format!(
            "no supabase/schemas/*/rights.sql grants public.{rpc} to anybody"
        ));
    }
    missing.extend(codes(root, function));
    missing
}

/// Whether the record has the codes that the header of the SQL function tells of.
fn codes(root: &Path, function: &Function) -> Vec<String> {
    let of_the_database = Code::of_the_database();
    let named = |code: &Code| code.entry().code;
    let raised = raised(root, function.rpc, &mut BTreeSet::new());
    // What Rust itself answers is nobody else's to raise.
    let declared = function.told.codes.iter();
    let declared: BTreeSet<&str> = declared
        .filter(|code| of_the_database.contains(code))
        .map(named)
        .collect();
    let raised: BTreeSet<&str> = of_the_database
        .iter()
        .map(named)
        .filter(|code| raised.contains(*code))
        .collect();
    let header = format!("the header of interlock.{}", function.rpc);
    let undeclared = raised
        .difference(&declared)
        .map(|code| format!("{} lacks {code}, which {header} has", record(function)));
    let untold = declared
        .difference(&raised)
        .map(|code| format!("{header} lacks {code}, which {} has", record(function)));
    undeclared.chain(untold).collect()
}

/// The codes after `Errors:` in the header of an internal function, and of those whose codes it also has.
fn raised(root: &Path, name: &str, seen: &mut BTreeSet<String>) -> BTreeSet<String> {
    if !seen.insert(name.to_owned()) {
        return BTreeSet::new();
    }
    let sql = sql_of(root, "functions", name);
    let paragraph: String = sql
        .lines()
        .skip_while(|line| !line.starts_with("-- Errors:"))
        .enumerate()
        .take_while(|(index, line)| *index == 0 || line.starts_with("--   "))
        .map(|(_, line)| format!("{} ", line.trim_start_matches("--").trim()))
        .collect();
    let mut codes: BTreeSet<String> = words(&paragraph).map(str::to_owned).collect();
    for other in paragraph.split("interlock.").skip(1) {
        if let Some(name) = words(other).next() {
            codes.extend(raised(root, name, seen));
        }
    }
    codes
}

fn in_tests(root: &Path, function: &Function) -> Vec<String> {
    let area = format!("tests/areas/{}", function.told.area);
    let registered = read(&root.join(&area).join("mod.rs"));
    let names = [
        format!("\"{}\"", function.name),
        format!("/{}\"", function.name),
        function.ident().to_ascii_uppercase(),
    ];
    let is_tested = files(&root.join(&area), "rs").iter().any(|path| {
        let module = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let text = read(path);
        registered.contains(&format!("mod {module};"))
            && names.iter().any(|name| text.contains(name))
    });
    let mut missing = Vec::new();
    if !is_tested {
        missing.push(format!("no module of {area} tests it"));
    }
    let examples = read(&root.join("tests/openapi/examples.json"));
    let examples: serde_json::Value = serde_json::from_str(&examples).unwrap_or_default();
    if !examples[function.name].is_array() {
        missing.push(
            "tests/openapi/examples.json has no answers of it: RECORD=1 npm test -- --only openapi"
                .to_owned(),
        );
    }
    missing
}

fn in_docs(root: &Path, function: &Function) -> Vec<String> {
    let page = read(&root.join("docs/api.md"));
    let title = format!("## {}", function.name);
    let mut lines = page.lines().skip_while(|line| *line != title);
    if lines.next().is_none() {
        return vec![format!("docs/api.md has no section `{title}`")];
    }
    let section: String = lines.take_while(|line| !line.starts_with("## ")).collect();
    if section.contains(FILL_IN) {
        return vec![format!(
            "docs/api.md still waits for its words under `{title}`"
        )];
    }
    describe::fields(function)
        .iter()
        .filter(|field| field.parent.is_empty() && !words(&section).any(|word| word == field.name))
        .map(|field| format!("docs/api.md does not tell of {}", field.name))
        .collect()
}

/// What a skeleton still says, line by line.
fn to_fill_in(root: &Path, function: &Function) -> Vec<String> {
    let tests = format!("tests/areas/{}/{}.rs", function.told.area, function.ident());
    let mut paths = vec![root.join(record(function)), root.join(tests)];
    let schemas = root.join("supabase/schemas");
    for area in folders(&schemas) {
        for kind in ["api", "functions"] {
            paths.push(area.join(kind).join(format!("{}.sql", function.rpc)));
        }
    }
    let mut missing = Vec::new();
    for path in paths {
        for (number, line) in read(&path).lines().enumerate() {
            if let Some((_, what)) = line.split_once(FILL_IN) {
                let place = path.strip_prefix(root).unwrap_or(&path).display();
                let what = what.trim_matches(|letter: char| !letter.is_alphanumeric());
                missing.push(format!("{place}:{}: {what}", number + 1));
            }
        }
    }
    missing
}

/// The file of an SQL function, whatever area it is in; empty if there is none.
fn sql_of(root: &Path, kind: &str, name: &str) -> String {
    folders(&root.join("supabase/schemas"))
        .iter()
        .map(|area| read(&area.join(kind).join(format!("{name}.sql"))))
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
}

/// A file's text; what is not there is empty.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    entries(folder)
        .into_iter()
        .filter(|path| path.is_dir())
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let has_it = |path: &PathBuf| path.extension().is_some_and(|own| own == extension);
    entries(folder).into_iter().filter(has_it).collect()
}

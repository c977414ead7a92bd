//! `cargo xtask tidy`: rules about the tree that no compiler checks.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, bail};
use interlock_domain::FUNCTIONS;
use interlock_domain::errors::Code;
use interlock_domain::function::Function;

use crate::functions::missing;
use crate::repo::Repo;

/// A file that git knows or would add.
struct File {
    path: String,
    text: String,
}

/// Checks every rule and reports all that is broken.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let files = files(repo)?;
    let mut broken = Vec::new();
    broken.extend(module_docs(&files));
    broken.extend(codes(&files));
    broken.extend(machine_paths(&files));
    broken.extend(generated(&files));
    broken.extend(rollbacks(&files));
    for function in FUNCTIONS {
        broken.extend(missing::parts(&repo.root, function));
    }
    broken.extend(strays(&files));
    if !broken.is_empty() {
        bail!("{}", broken.join("\n"));
    }
    println!("tidy: {} files follow the rules", files.len());
    Ok(())
}

fn files(repo: &Repo) -> Result<Vec<File>> {
    repo.files()?
        .into_iter()
        .map(|path| {
            let bytes = fs::read(repo.root.join(&path))?;
            Ok(File {
                path,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            })
        })
        .collect()
}

fn module_docs(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .filter(|file| file.path.starts_with("crates/") || file.path.starts_with("tests/"))
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| {
            format!(
                "{}: open with `//!` and say what the file is for",
                file.path
            )
        })
        .collect()
}

fn codes(files: &[File]) -> Vec<String> {
    let mut raised: Vec<(String, &str)> = Vec::new();
    for file in files.iter().filter(|file| is_sql(&file.path)) {
        for part in file.text.split("raise_error(").skip(1) {
            let code = part
                .trim_start()
                .strip_prefix('\'')
                .and_then(|rest| rest.split('\'').next());
            if let Some(code) = code {
                raised.push((code.to_owned(), &file.path));
            }
        }
    }
    let unknown = raised
        .iter()
        .filter(|(code, _)| Code::named(code).is_none())
        .map(|(code, path)| {
            format!("{path}: raises {code}, which crates/domain/src/errors does not have")
        });
    let of_the_database = Code::of_the_database();
    let all = Code::all();
    let unused = all
        .iter()
        .filter(|code| match of_the_database.contains(code) {
            true => !named_in_sql(files, code.entry().code),
            false => !used_in_rust(files, **code),
        })
        .map(|code| {
            format!(
                "crates/domain/src/errors: nothing raises {}",
                code.entry().code
            )
        });
    unknown.chain(unused).collect()
}

fn used_in_rust(files: &[File], code: Code) -> bool {
    let name = format!("Code::{code:?}");
    files
        .iter()
        .filter(|file| file.path.starts_with("crates/domain/src/"))
        .any(|file| mentions(&file.text, &name))
}

/// Whether SQL names a code: to raise it, or to hand it to the function that does. That one names them all and
/// does not count.
fn named_in_sql(files: &[File], code: &str) -> bool {
    const RAISE_ERROR: &str = ".raise_error(p_code text";
    let literal = format!("'{code}'");
    let is_named = |text: &str| {
        text.lines().any(|line| {
            line.split("--")
                .next()
                .is_some_and(|code| code.contains(&literal))
        })
    };
    files.iter().filter(|file| is_sql(&file.path)).any(|file| {
        match file.text.split_once(RAISE_ERROR) {
            Some((before, rest)) => {
                let after = rest.split_once("$$;").map_or("", |(_, after)| after);
                is_named(before) || is_named(after)
            }
            None => is_named(&file.text),
        }
    })
}

/// Whether `text` has `name` as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        !text[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
    })
}

fn machine_paths(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !is_lock(&file.path)) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(path) = machine_path(line) {
                found.push(format!(
                    "{}:{}: {path}… exists on one machine only",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    found
}

/// The start of an absolute path into somebody's directories.
fn machine_path(line: &str) -> Option<String> {
    ["root", "home", "work", "tmp", "Users"]
        .iter()
        .find_map(|top| {
            let start = format!("/{top}/");
            line.match_indices(&start).find_map(|(at, _)| {
                let inside = line[..at].ends_with(|before: char| {
                    before.is_alphanumeric() || "._-~*}$".contains(before)
                });
                let next = line[at + start.len()..].chars().next();
                let goes_on =
                    next.is_some_and(|next| next.is_alphanumeric() || "._-".contains(next));
                (!inside && goes_on).then(|| start.clone())
            })
        })
}

fn generated(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|file| {
            file.path.ends_with(".wasm")
                || (file.path.starts_with("functions/")
                    && (file.path.ends_with("/core.js") || file.path.ends_with("/core.d.ts")))
        })
        .map(|file| format!("{}: generated files are not committed", file.path))
        .collect()
}

fn rollbacks(files: &[File]) -> Vec<String> {
    let names = |folder: &str| -> BTreeSet<&str> {
        files
            .iter()
            .filter_map(|file| file.path.strip_prefix(folder))
            .filter(|name| name.ends_with(".sql"))
            .collect()
    };
    let migrations = names("supabase/migrations/");
    let rollbacks = names("supabase/rollback/");
    let missing = migrations
        .difference(&rollbacks)
        .map(|name| format!("supabase/migrations/{name}: has no supabase/rollback/{name}"));
    let stray = rollbacks
        .difference(&migrations)
        .map(|name| format!("supabase/rollback/{name}: undoes no migration"));
    missing.chain(stray).collect()
}

/// Crates and shims that were generated for a function which is no more, and records that the registry lacks.
fn strays(files: &[File]) -> Vec<String> {
    let mut strays = Vec::new();
    for file in files {
        let parts: Vec<&str> = file.path.split('/').collect();
        match parts[..] {
            ["crates", name, "src", "lib.rs"] | ["functions", name, "index.ts"]
                if file.text.contains("Generated by `cargo xtask codegen`")
                    && !FUNCTIONS.iter().any(|function| function.name == name) =>
            {
                strays.push(format!("{}: there is no function {name}", file.path));
            }
            ["crates", "domain", "src", _, _] => {
                let names = file.text.lines().filter_map(|line| {
                    let (name, _) = line
                        .strip_prefix("pub const ")?
                        .split_once(": Function = ")?;
                    Some(name)
                });
                let lacks = |name: &&str| {
                    let is_it =
                        |function: &&&Function| function.ident().to_ascii_uppercase() == **name;
                    FUNCTIONS.iter().find(is_it).is_none()
                };
                strays.extend(names.filter(lacks).map(|name| {
                    format!(
                        "{}: the registry in crates/domain/src/lib.rs lacks {name}",
                        file.path
                    )
                }));
            }
            _ => {}
        }
    }
    strays
}

/// Whether SQL of ours stands there.
fn is_sql(path: &str) -> bool {
    ["supabase/migrations/", "supabase/schemas/"]
        .iter()
        .any(|folder| path.starts_with(folder))
        && path.ends_with(".sql")
}

fn is_lock(path: &str) -> bool {
    path.ends_with("Cargo.lock") || path.ends_with("package-lock.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn paths_of_one_machine_are_found_and_relative_ones_are_not() {
        let absolute = format!("see {}root{}x", '/', '/');
        assert!(machine_path(&absolute).is_some());
        assert_eq!(machine_path("see src/home/x and $HOME/tmp/x"), None);
        assert_eq!(machine_path("anything below /home/ counts"), None);
    }

    #[test]
    fn a_code_that_the_catalogue_lacks_is_named_with_its_file() {
        let sql = file(
            "supabase/migrations/1_a.sql",
            "perform interlock.raise_error('NO_SUCH_CODE', null);",
        );
        let broken = codes(&[sql]);
        assert!(
            broken[0].contains("1_a.sql: raises NO_SUCH_CODE"),
            "{broken:?}"
        );
    }

    #[test]
    fn a_code_in_another_one_s_name_does_not_count_as_used() {
        assert!(mentions("Code::Internal)", "Code::Internal"));
        assert!(!mentions("Code::InternalOther", "Code::Internal"));
    }

    #[test]
    fn a_migration_and_its_rollback_have_one_name() {
        let broken = rollbacks(&[
            file("supabase/migrations/1_a.sql", ""),
            file("supabase/rollback/2_b.sql", ""),
        ]);
        assert_eq!(broken.len(), 2);
    }

    #[test]
    fn what_the_registry_does_not_have_is_found() {
        let strays = strays(&[
            file(
                "crates/gone/src/lib.rs",
                "//! Generated by `cargo xtask codegen`.",
            ),
            file(
                "functions/gone/index.ts",
                "// Generated by `cargo xtask codegen`.",
            ),
            file(
                "crates/domain/src/delivery/gone.rs",
                "pub const GONE: Function = Function {",
            ),
            file(
                "crates/checkout/src/lib.rs",
                "//! Generated by `cargo xtask codegen`.",
            ),
            file(
                "crates/domain/src/shop/checkout.rs",
                "pub const CHECKOUT: Function = Function {",
            ),
        ]);
        assert_eq!(strays.len(), 3, "{strays:?}");
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        let broken = module_docs(&[
            file("crates/a/src/lib.rs", "//! Why."),
            file("crates/a/src/b.rs", "use x;"),
        ]);
        assert_eq!(broken.len(), 1);
    }
}

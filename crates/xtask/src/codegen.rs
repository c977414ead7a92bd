//! `cargo xtask codegen`: what crates/domain says, in other languages: the error catalogue as SQL and as a
//! page of the docs, the functions as docs/openapi.json, and that as the client's types; the database functions of apps as
//! docs/openapi-rpc.json as methods of the client and, with the functions, as requests for Bruno; the pages that there are as llms.txt; what crates/edge
//! exports, as the shim's types; what follows from a function's record (crates/NAME, functions/NAME, its block of
//! supabase/config.toml); what stands above the functions of the database, as their comments; what is said of the
//! columns that a shop writes, as docs/tables.md; and the migrations, of supabase/schemas.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use interlock_domain::FUNCTIONS;
use interlock_domain::errors::{Code, Entry, Retry};
use serde_json::{Value, json};

use crate::command::stdout_of;
use crate::repo::Repo;
use crate::{build, comments, first_set, functions, llms, openapi, tables};

/// How to generate.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Write nothing; fail where a file differs from crates/domain.
    #[arg(long)]
    check: bool,
    /// Only the crates, shims and configuration of the functions, which the rest is built from.
    #[arg(long)]
    functions: bool,
}

impl Args {
    /// Only look.
    pub(crate) fn check() -> Self {
        Self {
            check: true,
            functions: false,
        }
    }
}

/// The schema of what is not for callers.
const SCHEMA: &str = "interlock";

const RAISE_ERROR: &str = "supabase/schemas/foundation/functions/raise_error.sql";

/// What a code is told as that is not in the catalogue.
const UNKNOWN: &str = "INTERNAL";

/// Generates or checks every file.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    // Without these there is nothing to build.
    let of_functions = functions::generated::files(&repo.root, FUNCTIONS)?;
    if !args.check {
        write(repo, &of_functions)?;
    }
    refuse_stale(repo, &of_functions)?;
    if args.functions {
        return Ok(());
    }
    let entries: Vec<Entry> = Code::all().iter().map(|code| *code.entry()).collect();
    let openapi = openapi(repo)?;
    let rpcs = openapi::rpcs::document(repo)?;
    let mut outputs = vec![
        (repo.root.join(RAISE_ERROR), raise_error(&entries)),
        (repo.root.join("docs/errors.md"), page(&entries)),
        (
            repo.root.join("docs/event-types.md"),
            openapi::events::page(),
        ),
        (
            repo.root.join("functions/_shared/core.ts"),
            build::contract(repo)?,
        ),
        (
            repo.root.join("packages/client/src/api.ts"),
            client_types(repo, &openapi, "docs/openapi.json")?,
        ),
        (
            repo.root.join("packages/client/src/answers.ts"),
            client_types(
                repo,
                &openapi::calls::answers(&rpcs)?,
                "docs/openapi-rpc.json",
            )?,
        ),
        (
            repo.root.join("packages/client/src/calls.ts"),
            openapi::calls::module(&rpcs)?,
        ),
        (
            repo.root.join("docs/openapi.json"),
            serde_json::to_string_pretty(&openapi)? + "\n",
        ),
        (
            repo.root.join("docs/openapi-rpc.json"),
            serde_json::to_string_pretty(&rpcs)? + "\n",
        ),
        (repo.root.join("llms.txt"), llms::page(repo)?),
    ];
    let requests = openapi::bruno::files(&openapi, &rpcs)?;
    outputs.extend(
        requests
            .into_iter()
            .map(|(path, text)| (repo.root.join(path), text)),
    );
    let strays = strays(&repo.root.join(openapi::bruno::FOLDER), &outputs)?;
    match strays.first() {
        Some(stray) if args.check => {
            bail!(
                "{} is made of nothing: run `cargo xtask codegen`",
                repo.relative(stray)
            )
        }
        _ => strays.iter().try_for_each(fs::remove_file)?,
    }
    // What stands above a function that was just generated counts, too.
    if !args.check {
        write(repo, &outputs)?;
    }
    let comments = comments::files(repo)?;
    if !args.check {
        write(repo, &comments)?;
    }
    outputs.extend(comments);
    outputs.push(tables::page(repo)?);
    // Made of all that stands in supabase/schemas by now.
    outputs.extend(first_set::files(repo)?);
    if !args.check {
        return write(repo, &outputs);
    }
    refuse_stale(repo, &outputs)
}

/// Files of a generated folder that nothing makes any more. What begins with a dot is somebody's own.
fn strays(folder: &Path, outputs: &[(PathBuf, String)]) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let found = crate::release::sums::files_below(folder)?;
    let paths = found
        .keys()
        .filter(|name| !name.starts_with('.'))
        .map(|name| folder.join(name));
    let made = |path: &PathBuf| outputs.iter().any(|(output, _)| output == path);
    Ok(paths.filter(|path| !made(path)).collect())
}

fn refuse_stale(repo: &Repo, outputs: &[(PathBuf, String)]) -> Result<()> {
    let stale: Vec<String> = outputs
        .iter()
        .filter(|(path, text)| !is_written(path, text))
        .map(|(path, _)| repo.relative(path).to_string())
        .collect();
    if !stale.is_empty() {
        bail!(
            "{} differ from what they are made of: run `cargo xtask codegen`",
            stale.join(" and ")
        );
    }
    Ok(())
}

fn is_written(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|old| old == text)
}

/// Writes what differs.
fn write(repo: &Repo, outputs: &[(PathBuf, String)]) -> Result<()> {
    for (path, text) in outputs {
        if is_written(path, text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
        println!("wrote {}", repo.relative(path));
    }
    Ok(())
}

/// The document, with the answers that tests/openapi/mod.rs has recorded as its examples.
fn openapi(repo: &Repo) -> Result<Value> {
    let path = repo.root.join("tests/openapi/examples.json");
    let examples = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", repo.relative(&path)))?;
    let examples = serde_json::from_str(&examples)
        .with_context(|| format!("{} is not JSON", repo.relative(&path)))?;
    openapi::document(&openapi::with_seed_ids(&examples)?)
}

/// The document's schemas as TypeScript, by openapi-typescript. The client needs no more of it.
fn client_types(repo: &Repo, openapi: &Value, of: &str) -> Result<String> {
    let draft = repo.target.join("openapi-schemas.json");
    let schemas = json!({
        "openapi": openapi["openapi"], "info": openapi["info"], "paths": {},
        "components": { "schemas": openapi["components"]["schemas"] },
    });
    fs::write(&draft, schemas.to_string())?;
    let mut generator = Command::new("node");
    generator
        .current_dir(&repo.root)
        .arg(repo.npm_file("openapi-typescript/bin/cli.js")?)
        .arg(&draft);
    let types = with_json(stdout_of(&mut generator)?);
    Ok(format!(
        "// Generated by `cargo xtask codegen` from {of}; do not edit.\n{types}"
    ))
}

/// The types with a name for what is any JSON: a member whose type leads to itself is an error of TypeScript's, and a
/// type with a name is not.
fn with_json(types: String) -> String {
    const MEMBER: &str = "        Json: ";
    const END: &str = "\n        };\n";
    let Some((before, rest)) = types.split_once(MEMBER) else {
        return types;
    };
    let Some((_, after)) = rest.split_once(END) else {
        return types;
    };
    format!(
        "{before}{MEMBER}Json;\n{after}/** Any JSON. */\nexport type Json = null | boolean | number | string | Json[] | {{\n    [key: string]: Json;\n}};\n"
    )
}

/// The function that refuses, complete.
fn raise_error(entries: &[Entry]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut arms = String::new();
    for entry in entries {
        // Its own way, after `else`.
        if entry.code == UNKNOWN {
            continue;
        }
        arms.push_str(&arm(
            &format!("when {}", quoted(entry.code)),
            entry,
            &quoted,
        ));
    }
    let internal = entries.iter().find(|entry| entry.code == UNKNOWN);
    let last = internal.map_or_else(String::new, |entry| arm("else", entry, &quoted));
    format!(
        "-- Raise an error of the catalogue. SQLSTATE is PT + HTTP status (PostgREST answers with that status), message
-- is the code, hint the next step for the client, detail a JSON text for machines. Two members of it are
-- reserved: `message` tells a person what happened, `retryable` (absent unless true) that the same request may
-- simply be sent again. So a function needs to know nothing of what only the database raises.
--
-- Generated by `cargo xtask codegen` from crates/domain/src/errors; do not edit.
--
-- Errors: the one asked for; INTERNAL for a code that is not in the catalogue.
create function {SCHEMA}.raise_error(p_code text, p_detail jsonb default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_code text := p_code;
  v_detail jsonb := coalesce(p_detail, '{{}}');
  v_status text;
  v_message text;
  v_hint text;
begin
  case p_code
{arms}{last}      v_code := '{UNKNOWN}';
      v_detail := case p_code when '{UNKNOWN}' then v_detail else jsonb_build_object('unknown_code', p_code) end;
  end case;

  v_detail := v_detail || jsonb_build_object('message', v_message);
  if p_code in ({retryable}) then
    v_detail := v_detail || '{{\"retryable\": true}}';
  end if;

  raise exception using
    errcode = 'PT' || v_status,
    message = v_code,
    detail = v_detail::text,
    hint = v_hint;
end
$$;
",
        retryable = entries
            .iter()
            .filter(|entry| entry.retry == Retry::Retryable)
            .map(|entry| quoted(entry.code))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

fn arm(head: &str, entry: &Entry, quoted: &dyn Fn(&str) -> String) -> String {
    format!(
        "    {head}{then}\n      v_status := '{}';\n      v_message := {};\n      v_hint := {};\n",
        entry.status,
        quoted(entry.message),
        quoted(entry.hint),
        then = if head == "else" { "" } else { " then" },
    )
}

fn page(entries: &[Entry]) -> String {
    let mut page = String::from(
        "<!-- Generated by `cargo xtask codegen` from crates/domain/src/errors; do not edit. -->

# Errors

Every error has the same body:

```text
{\"error\": CODE, \"code\": CODE, \"message\": …, \"details\": …, \"hint\": …, \"retryable\": …, \"request_id\": …}
```

Branch on `code`: it never changes its meaning. Where *again?* says yes, the same request may simply be sent
again, after the seconds that the header `Retry-After` gives.

| Code | HTTP | Again? | What happened | What to do |
| --- | --- | --- | --- | --- |
",
    );
    for entry in entries {
        let again = match entry.retry {
            Retry::Retryable => "yes",
            Retry::Final => "no",
        };
        page.push_str(&format!(
            "| `{}` | {} | {again} | {} | {} |\n",
            entry.code,
            entry.status,
            cell(entry.message),
            cell(entry.hint)
        ));
    }
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use interlock_domain::shape::Shape;

    const ENTRY: Entry = Entry {
        code: "OUT_OF_LUCK",
        status: 409,
        retry: Retry::Final,
        message: "No luck.",
        hint: "Use the shop's | other door.",
        details: Shape::Null,
    };

    #[test]
    fn a_code_is_raised_with_all_that_is_told_of_it() {
        let again = Entry {
            code: "TRY_AGAIN",
            retry: Retry::Retryable,
            ..ENTRY
        };
        let sql = raise_error(&[ENTRY, again]);
        assert!(sql.contains(
            "    when 'OUT_OF_LUCK' then\n      v_status := '409';\n      v_message := 'No luck.';\n      \
             v_hint := 'Use the shop''s | other door.';\n"
        ));
        assert!(sql.contains("  if p_code in ('TRY_AGAIN') then\n"));
    }

    #[test]
    fn the_page_has_one_row_per_code() {
        let page = page(&[ENTRY]);
        assert!(page.ends_with(
            "| `OUT_OF_LUCK` | 409 | no | No luck. | Use the shop's \\| other door. |\n"
        ));
    }
}

//! `cargo xtask new-function`: the skeleton of a function. Whatever needs words or thought says so, and is red until it
//! has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::FILL_IN;
use crate::command::{cargo, run as run_command};
use crate::repo::Repo;

/// What to begin.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name in the URL, such as claim-route.
    name: String,
    /// The area that it belongs to: a folder of tests/areas, of crates/domain/src and, unless --schemas says otherwise,
    /// of supabase/schemas.
    #[arg(long)]
    area: String,
    /// The folder of supabase/schemas.
    #[arg(long, value_name = "FOLDER")]
    schemas: Option<String>,
}

/// Writes the skeleton and what follows from it, and tells of the rest.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    let schemas = args.schemas.as_deref().unwrap_or(&args.area);
    let skeleton = Skeleton::new(&args.name, &args.area, schemas)?;
    let written = skeleton.write(&repo.root)?;
    let sources = written
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    run_command(
        Command::new("rustfmt")
            .args(["--edition", "2024", "--config", "skip_children=true"])
            .args(sources),
    )
    .or_else(|_| run_command(cargo(&["fmt", "--all"]).current_dir(&repo.root)))?;
    println!("Written by hand from here on:");
    for path in &written {
        println!("  {}", repo.relative(path));
    }
    // The record is known to the next xtask, not to this one.
    run_command(cargo(&["--quiet", "xtask", "codegen", "--functions"]).current_dir(&repo.root))?;
    println!("\nStill to be done:");
    let told = cargo(&["--quiet", "xtask", "tidy"])
        .current_dir(&repo.root)
        .output()
        .context("cargo does not start")?;
    print!(
        "{}",
        String::from_utf8_lossy(&told.stderr).trim_start_matches("error: ")
    );
    println!(
        "
Then, with all of it in place:
  RECORD=1 cargo test -p interlock-domain --test corpus   records its exchanges
  cargo xtask codegen                                     writes what follows, the document and the migrations too
  RECORD=1 npm test -- --only openapi                     records its answers for the document
  cargo xtask codegen && cargo xtask snapshot             puts them there
  npm run prove -- --write-permissions                    writes who may call it
  npm test                                                says what is left"
    );
    Ok(())
}

/// A function that does not exist yet.
pub(crate) struct Skeleton {
    name: String,
    ident: String,
    constant: String,
    area: String,
    schemas: String,
}

impl Skeleton {
    pub(crate) fn new(name: &str, area: &str, schemas: &str) -> Result<Self> {
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word
                    .bytes()
                    .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        };
        if !name.split('-').all(is_word) {
            bail!("{name:?} is no name: lower-case words between hyphens");
        }
        if !is_word(area) || !is_word(schemas) {
            bail!("an area has a name of one lower-case word");
        }
        let ident = name.replace('-', "_");
        Ok(Self {
            name: name.to_owned(),
            constant: ident.to_ascii_uppercase(),
            ident,
            area: area.to_owned(),
            schemas: schemas.to_owned(),
        })
    }

    /// Writes every file that a person goes on with; returns them.
    pub(crate) fn write(&self, root: &Path) -> Result<Vec<PathBuf>> {
        let (ident, area, schemas) = (&self.ident, &self.area, &self.schemas);
        let record = root.join(format!("crates/domain/src/{area}/{ident}.rs"));
        if record.exists() {
            bail!("there is a function {} already", self.name);
        }
        let areas = root.join(format!("tests/areas/{area}/mod.rs"));
        if !areas.exists() {
            bail!(
                "tests/areas/{area} does not exist: begin an area with its line in tests/areas/mod.rs and a mod.rs \
                 such as that of tests/areas/foundation"
            );
        }
        let sql = root.join("supabase/schemas").join(schemas);
        let registry = root.join("crates/domain/src/lib.rs");
        let rights = sql.join("rights.sql");
        let page = root.join("docs/api.md");
        let files = vec![
            (registry.clone(), self.registered(&read(&registry)?)?),
            (record, self.fill(RECORD)),
            (
                sql.join(format!("functions/{ident}.sql")),
                self.fill(WORKER),
            ),
            (sql.join(format!("api/{ident}.sql")), self.fill(WRAPPER)),
            (
                rights.clone(),
                self.with_rights(&fs::read_to_string(&rights).unwrap_or_default()),
            ),
            (areas.clone(), self.with_tests(&read(&areas)?)?),
            (
                root.join(format!("tests/areas/{area}/{ident}.rs")),
                self.fill(TESTS),
            ),
            (page.clone(), self.with_section(&read(&page)?)?),
        ];
        for (path, text) in &files {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, text)?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    fn fill(&self, template: &str) -> String {
        template
            .replace("%FILL", FILL_IN)
            .replace("%NAME", &self.name)
            .replace("%IDENT", &self.ident)
            .replace("%CONSTANT", &self.constant)
            .replace("%PASCAL", &self.pascal())
            .replace("%AREA", &self.area)
    }

    fn pascal(&self) -> String {
        let words = self.name.split('-').map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{}{rest}", first.to_ascii_uppercase())
        });
        words.collect()
    }

    /// crates/domain/src/lib.rs with the module in its area, and the constant in the list.
    fn registered(&self, text: &str) -> Result<String> {
        const LIST: &str = "/// The registry: ";
        let block = format!("pub mod {} {{\n", self.area);
        let module = format!("    pub mod {};\n", self.ident);
        let text = if text.contains(&block) {
            text.replace(&block, &format!("{block}{module}"))
        } else {
            let new =
                format!("/// {FILL_IN}: what the area is about.\n{block}{module}}}\n\n{LIST}");
            text.replace(LIST, &new)
        };
        let (before, rest) = text
            .split_once(LIST)
            .context("crates/domain/src/lib.rs has no registry")?;
        let (list, after) = rest.split_once("];").context("the registry has no end")?;
        let (area, ident, constant) = (&self.area, &self.ident, &self.constant);
        Ok(format!(
            "{before}{LIST}{list}    &{area}::{ident}::{constant},\n];{after}"
        ))
    }

    fn with_rights(&self, text: &str) -> String {
        let text = match text {
            "" => self.fill(
                "-- Who may call what of %AREA. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;\n",
            ),
            _ => text.to_owned(),
        };
        text + &self.fill(RIGHTS)
    }

    fn with_tests(&self, text: &str) -> Result<String> {
        let at = text
            .find("\n\n")
            .context("a module begins with its purpose")?
            + 2;
        let line = format!("#[cfg(test)]\nmod {};\n", self.ident);
        let text = format!("{}{line}{}", &text[..at], &text[at..]);
        // The answers that the document tells of.
        const LIST: &str = "    documented: &[";
        let (before, after) = text
            .split_once(LIST)
            .context("the area has no list of documented answers")?;
        let shown = format!("|bench| Box::pin({}::documented(bench)), ", self.ident);
        Ok(format!("{before}{LIST}{shown}{after}"))
    }

    fn with_section(&self, text: &str) -> Result<String> {
        const NEXT: &str = "## Settings of a function\n";
        let (before, after) = text
            .split_once(NEXT)
            .context("docs/api.md has no section `Settings of a function`")?;
        Ok(format!("{before}{}{NEXT}{after}", self.fill(SECTION)))
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

const RECORD: &str = r##"//! `%NAME`: %FILL: what it does, and what its request looks like.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes};
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::Told,
    shape::Shape::{Object, Only},
};

/// The function `%NAME`.
pub const %CONSTANT: Function = Function {
    name: "%NAME",
    rpc: "%IDENT",
    takes: Takes::Fields {
        keyed: true, // %FILL: whether the RPC keeps its answers by idempotency key
        by_shop: false, // %FILL: whether the service role calls it too
        read,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "%AREA",
        purpose: "%FILL: what it is for, in half a line",
        gated: false,
        summary: "%FILL: the title of the operation",
        description: "%FILL: what it does, for who calls it",
        fields: &[],
        between_fields: "{}",
        answer: "%PASCALAnswer",
        schemas: &[(
            "%PASCALAnswer",
            Object(
                "%FILL: what it answers",
                &[("success", Only(true))],
            ),
        )],
        codes: &[Code::IdempotencyKeyReused],
        together: false,
        always: &[],
        acts_again: |_| true, // %FILL: whether the same call twice, without a key, acts twice
        samples: &[],
    },
};

fn read(fields: Fields) -> Result<Arguments, Problems> {
    fields.finish()?; // %FILL: read its fields
    Ok(Arguments::new([], false))
}
"##;

const WORKER: &str = "-- %FILL: what public.%IDENT does, in one sentence.
--
-- Callers: authenticated and service_role, through public.%IDENT.
-- Locks: %FILL: what it locks, in which order.
-- Errors: UNAUTHENTICATED, IDEMPOTENCY_KEY_REUSED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: %FILL: why. Nothing here trusts an argument for who is calling; that is auth.uid().
create function interlock.%IDENT(p_idempotency_key text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  -- %FILL: do it, between interlock.begin_idempotent and the answer that is kept
  return jsonb_build_object('success', true);
end
$$;
";

const WRAPPER: &str = "create function public.%IDENT(
  p_idempotency_key text default null
)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.%IDENT(p_idempotency_key)
$$;

comment on function public.%IDENT(text) is
  '%FILL: what it does, for who calls it over REST.';
";

const RIGHTS: &str = "
revoke all on function public.%IDENT(text) from public, anon, authenticated, service_role;
grant execute on function public.%IDENT(text), interlock.%IDENT to authenticated, service_role;
";

const TESTS: &str = r#"//! The HTTP contract of `%NAME`, and every answer of it that docs/openapi.json tells of.

use crate::harness::stack::Bench;
use crate::openapi::Scene;
use serde_json::Value;

/// `%NAME`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "%NAME");
    let user = bench.users(1).await[0];
    scene.refuses_what_all_refuse(user).await;
    // %FILL: expect a success, and each code of the record
    scene.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_it_promises() {
    panic!("%FILL: call %NAME over HTTP, RPC and SQL, and hold what it answers against docs/api.md");
}
"#;

const SECTION: &str = "## %NAME

%FILL: what it is for, the fields of its request, what it answers, what it refuses.

";

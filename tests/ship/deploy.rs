//! Deployment of the functions by the real CLI, to an API that records what it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use interlock_domain::FUNCTIONS;
use serde_json::json;

use crate::cli::{Finished, root, work_folder, xtask};
use crate::recorder::{PROJECT, Recorder, TOKEN, Upload};
use crate::scratch::Scratch;

/// Every function, as the CLI lists them.
fn names() -> BTreeSet<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).collect()
}

/// The most that may be sent for one function. The module is nine tenths of it: 157 KB, as base64 a third
/// more. Compressed it would be half, and each cold start 10 ms slower; that is the trade.
const UPLOAD_BUDGET: usize = 252_000;

/// What is sent for a function: its own three files, the shim that all share, and the gate where it has one. No tests, no
/// settings, no types.
fn sources_of(function: &str) -> BTreeSet<String> {
    let own =
        ["core.js", "deno.json", "index.ts"].map(|file| format!("functions/{function}/{file}"));
    let shared = [
        "body.ts",
        "core.ts",
        "env.ts",
        "names.ts",
        "serve.ts",
        "time.ts",
        "upstream.ts",
    ]
    .map(|file| format!("functions/_shared/{file}"));
    let is_gated = |name: &str| FUNCTIONS.iter().any(|f| f.name == name && f.told.gated);
    let gate = is_gated(function).then(|| "functions/_shared/gate.ts".to_owned());
    own.into_iter().chain(shared).chain(gate).collect()
}

/// `supabase functions deploy` of this repository.
async fn deploy(recorder: &Recorder, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let profile = recorder.profile.to_string_lossy();
    let project = format!("--remote={PROJECT}");
    let mut all = vec![
        "functions",
        "deploy",
        "--yes",
        &project,
        "--profile",
        &profile,
    ];
    all.extend(arguments);
    let mut with_token = vec![("SUPABASE_ACCESS_TOKEN", TOKEN)];
    with_token.extend(variables);
    crate::cli::supabase_with(root(), &all, &with_token).await
}

/// Whether the platform asks for a token.
fn verify_jwt(name: &str) -> bool {
    let mut functions = FUNCTIONS.iter();
    functions.any(|function| function.name == name && function.is_for_users())
}

fn assert_sources(uploads: &BTreeMap<String, Upload>) {
    let uploaded: BTreeSet<&str> = uploads.keys().map(String::as_str).collect();
    assert_eq!(uploaded, names());
    for (function, upload) in uploads {
        let sent: BTreeSet<String> = upload.files.keys().cloned().collect();
        assert_eq!(sent, sources_of(function));
        for (path, bytes) in &upload.files {
            let here = std::fs::read(root().join(path)).expect("it was read from here");
            assert!(*bytes == here, "{path} was sent as something else");
        }
        assert_eq!(
            upload.metadata,
            json!({
                "name": function,
                "verify_jwt": verify_jwt(function),
                "entrypoint_path": format!("functions/{function}/index.ts"),
                "import_map_path": format!("functions/{function}/deno.json"),
                "static_patterns": [],
            })
        );
        println!("{function}: {} bytes sent", upload.size);
        assert!(
            upload.size <= UPLOAD_BUDGET,
            "{function}: {} bytes",
            upload.size
        );
    }
}

/// A program `docker` that does what the body says, first on the search path.
fn docker(name: &str, body: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = work_folder(name);
    let program = folder.join("docker");
    std::fs::write(&program, format!("#!/bin/sh\n{body}")).expect("the program can be written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
        .expect("it can be made executable");
    let mut path = vec![folder];
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path = std::env::join_paths(path).expect("no folder has a colon in its name");
    path.to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_is_sent_exactly_the_functions() {
    let recorder = Recorder::start("use-api").await;
    deploy(&recorder, &["--use-api"], &[]).await.succeeded();
    let uploads = recorder.uploads();
    assert_sources(&uploads);
    // `cargo xtask test` runs what was uploaded, and nothing else.
    let folder = work_folder("uploaded");
    std::fs::remove_dir_all(&folder).expect("it was just made");
    for (path, bytes) in uploads.values().flat_map(|upload| &upload.files) {
        let target = folder.join(path);
        std::fs::create_dir_all(target.parent().expect("below the folder"))
            .expect("it can be made");
        std::fs::write(target, bytes).expect("it can be written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_docker_the_same_is_sent() {
    let recorder = Recorder::start("no-docker").await;
    let path = docker("no-docker", "exit 1\n");
    let said = deploy(&recorder, &[], &[("PATH", &path)])
        .await
        .succeeded()
        .said();
    assert!(said.contains("Docker is not running"), "{said}");
    assert_sources(&recorder.uploads());
}

/// The bundle itself is made inside Supabase's image, which does not run here: what is proven is what
/// Docker is asked to bundle, and that the CLI sends what comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn docker_is_given_exactly_the_functions_and_its_bundle_is_sent() {
    let recorder = Recorder::start("docker").await;
    let log = work_folder("docker").join("arguments");
    let _ = std::fs::remove_file(&log);
    let path = docker(
        "docker",
        &format!(
            "[ \"$1\" = run ] || exit 0\nprintf '%s\\n' \"$@\" >> '{}'\n\
             while [ $# -gt 0 ]; do [ \"$1\" = --output ] && echo bundle > \"$2\"; shift; done\n",
            log.display()
        ),
    );
    let said = deploy(&recorder, &["--jobs", "1"], &[("PATH", &path)])
        .await
        .said();
    let arguments =
        std::fs::read_to_string(&log).unwrap_or_else(|_| panic!("Docker was not asked: {said}"));
    let mounted: BTreeSet<String> = arguments
        .lines()
        .filter_map(|line| {
            line.split(':')
                .next()?
                .strip_prefix(&format!("{}/functions/", root().display()))
        })
        .filter(|path| Path::new(path).extension().is_some())
        .map(|path| format!("functions/{path}"))
        .collect();
    let expected: BTreeSet<String> = names().into_iter().flat_map(sources_of).collect();
    assert_eq!(mounted, expected, "{said}");
    let uploads = recorder.uploads();
    assert_eq!(uploads.len(), FUNCTIONS.len(), "{said}");
    for (function, upload) in uploads {
        assert_eq!(
            upload.metadata["verify_jwt"],
            verify_jwt(&function).to_string(),
            "{:?}",
            upload.metadata
        );
        let entrypoint = upload.metadata["entrypoint_path"]
            .as_str()
            .unwrap_or_default();
        assert!(
            entrypoint.ends_with(&format!("functions/{function}/index.ts")),
            "{entrypoint}"
        );
        assert!(upload.size > 0);
    }
}

/// `npm run deploy` to the recording API and a database of our own.
pub(crate) async fn npm_run_deploy(
    recorder: &Recorder,
    scratch: &Scratch,
    arguments: &[&str],
) -> Finished {
    let profile = recorder.profile.to_string_lossy();
    let mut all = vec![
        "deploy",
        "--no-build",
        "--use-api",
        "--project-ref",
        PROJECT,
        "--profile",
        &profile,
    ];
    all.extend(["--db-url", &scratch.url]);
    all.extend(arguments);
    xtask(&all, &[("SUPABASE_ACCESS_TOKEN", TOKEN)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_pushes_deploys_and_verifies_and_a_second_one_finds_nothing_to_push() {
    let recorder = Recorder::start("whole").await;
    let scratch = Scratch::empty("deploy").await;

    let dry = npm_run_deploy(&recorder, &scratch, &["--dry-run"])
        .await
        .succeeded()
        .said();
    assert!(
        dry.contains("20251116000000_fix_inventory_race_condition.sql"),
        "{dry}"
    );
    assert!(
        dry.contains(&format!(
            "functions to deploy: {}",
            Vec::from_iter(names()).join(", ")
        )),
        "{dry}"
    );
    assert!(recorder.uploads().is_empty(), "a dry run sends nothing");
    let db = scratch.connect().await;
    let there = db
        .query_one("select to_regclass('interlock.products') is null", &[])
        .await;
    assert!(
        there.expect("it can be asked").get::<_, bool>(0),
        "a dry run pushes nothing"
    );
    drop(db);

    let said = npm_run_deploy(&recorder, &scratch, &[])
        .await
        .succeeded()
        .said();
    assert!(said.contains("everything is in place"), "{said}");
    assert!(
        !said.contains(TOKEN) && !said.contains("postgres:postgres"),
        "secrets stay where they are"
    );
    assert_sources(&recorder.uploads());

    let said = npm_run_deploy(&recorder, &scratch, &[])
        .await
        .succeeded()
        .said();
    assert!(said.contains("migrations: none to push"), "{said}");
    scratch.remove().await;
}

/// A refusal is one sentence that says what to do, and comes before anything is changed.
async fn refused(recorder: &Recorder, scratch: &Scratch, arguments: &[&str], sentence: &str) {
    let said = npm_run_deploy(recorder, scratch, arguments)
        .await
        .failed()
        .said();
    assert!(said.contains(sentence), "{sentence:?} is not in: {said}");
    assert!(recorder.uploads().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_setups_are_refused_with_what_to_do() {
    let recorder = Recorder::start("broken").await;
    let profile = recorder.profile.to_string_lossy().into_owned();
    let deploy = async |arguments: &[&str], token: &[(&str, &str)]| {
        let mut all = vec!["deploy", "--no-build", "--profile", &profile];
        all.extend(arguments);
        xtask(&all, token).await.failed().said()
    };
    let known = [("SUPABASE_ACCESS_TOKEN", TOKEN)];
    for (arguments, token, sentence) in [
        (
            &[][..],
            &known[..],
            "Name the project with --project-ref REF",
        ),
        (
            &["--project-ref", "my-shop"],
            &known,
            "a project ref is 20 lower-case letters",
        ),
        (
            &["--db-url", "localhost"],
            &known,
            "an address looks like postgresql://",
        ),
        (&["--project-ref", PROJECT], &[], "run `npx supabase login`"),
        (
            &["--project-ref", PROJECT],
            &[("SUPABASE_ACCESS_TOKEN", "secret")],
            "one looks like sbp_",
        ),
        (
            &["--project-ref", PROJECT],
            &[(
                "SUPABASE_ACCESS_TOKEN",
                "sbp_ffffffffffffffffffffffffffffffffffffffff",
            )],
            "the platform refuses the access token",
        ),
        (
            &["--project-ref", "zzzzzzzzzzzzzzzzzzzz"],
            &known,
            "no such project: check --project-ref",
        ),
        (
            &[
                "--project-ref",
                PROJECT,
                "--db-url",
                "postgresql://postgres:hunter22@127.0.0.1:1/postgres",
            ],
            &known,
            "the database cannot be reached",
        ),
    ] {
        let said = deploy(arguments, token).await;
        assert!(said.contains(sentence), "{sentence:?} is not in: {said}");
        assert!(!said.contains("hunter22"), "the password is shown: {said}");
        assert!(!said.contains("Rust to WASM"), "it was built first: {said}");
    }
    assert!(recorder.uploads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_another_history_or_the_same_names_is_refused_untouched() {
    let recorder = Recorder::start("conflict").await;
    let scratch = Scratch::empty("conflict").await;
    let db = scratch.connect().await;

    db.batch_execute("create schema interlock")
        .await
        .expect("it can be made");
    let sentence = "the database has the schema interlock already";
    refused(&recorder, &scratch, &[], sentence).await;
    refused(&recorder, &scratch, &["--dry-run"], sentence).await;
    db.batch_execute(
        "drop schema interlock;
         create table public.products (id int primary key);
         create function public.cancel_order(p_id uuid, p_reason text) returns text language sql as 'select p_reason'",
    )
    .await
    .expect("it can be replaced");
    let sentence = "the database has the function public.cancel_order(uuid, text) already";
    refused(&recorder, &scratch, &[], sentence).await;
    db.batch_execute("drop function public.cancel_order(uuid, text); drop table public.products")
        .await
        .expect("it can be dropped");

    db.batch_execute(
        "create schema supabase_migrations;
         create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
         insert into supabase_migrations.schema_migrations values ('20260101000000', '{}', 'of_the_shop')",
    )
    .await
    .expect("a project can have migrations of its own");
    let unknown = "this checkout lacks: 20260101000000";
    refused(&recorder, &scratch, &[], unknown).await;

    // Of two obstacles a dry run names both.
    db.batch_execute(
        "create function public.cancel_order(p_id uuid, p_reason text) returns text language sql as 'select p_reason'",
    )
    .await
    .expect("it can be made");
    refused(&recorder, &scratch, &["--dry-run"], unknown).await;
    refused(&recorder, &scratch, &["--dry-run"], sentence).await;
    let made = db
        .query_one("select to_regnamespace('interlock') is null", &[])
        .await;
    assert!(
        made.expect("it can be asked").get::<_, bool>(0),
        "nothing was changed"
    );
    drop(db);
    scratch.remove().await;
}

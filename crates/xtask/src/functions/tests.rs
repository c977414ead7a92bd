//! A throw-away function, added as a person would add one, to a copy of the part of the tree that it touches.

use std::fs;
use std::path::{Path, PathBuf};

use interlock_domain::FUNCTIONS;
use interlock_domain::errors::Code;
use interlock_domain::fields::{Fields, Problems};
use interlock_domain::function::{Arguments, Function, Sample, Takes, Told};
use interlock_domain::json::Value;
use interlock_domain::shape::Shape;

use super::create::Skeleton;
use super::{FILL_IN, generated, missing};

/// What a person writes for one function, at the most.
const MOST_FILES: usize = 8;

/// The record, as far as it was written.
const DONE: Function = Function {
    name: "throw-away",
    rpc: "throw_away",
    takes: Takes::Fields {
        keyed: true,
        by_shop: false,
        read,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    told: Told {
        area: "delivery",
        purpose: "nothing",
        gated: false,
        summary: "Nothing",
        description: "Does nothing.",
        fields: &[("/batch_id", "The batch.")],
        between_fields: "{}",
        answer: "ThrowAwayAnswer",
        schemas: &[("ThrowAwayAnswer", Shape::Anything)],
        codes: &[Code::IdempotencyKeyReused],
        together: false,
        always: &["p_batch_id"],
        acts_again: |_| true,
        samples: &[Sample {
            name: "a batch",
            body: r#"{"batch_id":"ba7c4000-0000-4000-8000-00000000dead"}"#,
        }],
    },
};

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    fields.require("batch_id");
    let batch = fields.uuid("batch_id");
    fields.finish()?;
    Ok(Arguments::new(
        [("p_batch_id", batch.map(Value::from))],
        false,
    ))
}

/// A copy of what a function touches, gone when it is dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree =
            Self(std::env::temp_dir().join(format!("interlock-{name}-{}", std::process::id())));
        for part in [
            "crates/domain/src/lib.rs",
            "docs/api.md",
            "supabase/config.toml",
            "supabase/schemas/delivery/rights.sql",
            "tests/areas/delivery/mod.rs",
        ] {
            tree.write(part, &fs::read_to_string(from.join(part)).expect(part));
        }
        tree
    }

    fn read(&self, part: &str) -> String {
        fs::read_to_string(self.0.join(part)).expect(part)
    }

    fn write(&self, part: &str, text: &str) {
        let path = self.0.join(part);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    fn replace(&self, part: &str, from: &str, to: &str) {
        let text = self.read(part);
        assert!(text.contains(from), "{part} has no {from}");
        self.write(part, &text.replace(from, to));
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => files.push(path),
                }
            }
        }
        files
    }

    fn missing(&self, function: &Function) -> Vec<String> {
        missing::parts(&self.0, function)
    }

    /// Does what the skeleton asks for.
    fn fill_in(&self) {
        for path in self.files() {
            let text = fs::read_to_string(&path).expect("a text");
            fs::write(&path, text.replace(FILL_IN, "done")).expect("a file can be written");
        }
        self.replace(
            WRAPPER,
            "  p_idempotency_key",
            "  p_batch_id uuid, p_idempotency_key",
        );
        self.replace(
            DOCS,
            "## throw-away\n",
            "## throw-away\n\n`batch_id`: the batch.\n",
        );
        self.replace(TESTS, "panic!", "/* \"throw-away\" */ assert!");
        let corpus = serde_json::json!([{ "request": { "body": DONE.told.samples[0].body } }]);
        self.write(CORPUS, &corpus.to_string());
        self.write(EXAMPLES, r#"{"throw-away":[]}"#);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const WORKER: &str = "supabase/schemas/delivery/functions/throw_away.sql";
const WRAPPER: &str = "supabase/schemas/delivery/api/throw_away.sql";
const RIGHTS: &str = "supabase/schemas/delivery/rights.sql";
const TESTS: &str = "tests/areas/delivery/throw_away.rs";
const AREA: &str = "tests/areas/delivery/mod.rs";
const DOCS: &str = "docs/api.md";
const CORPUS: &str = "tests/corpus/throw-away.json";
const EXAMPLES: &str = "tests/openapi/examples.json";

fn skeleton(tree: &Tree) -> Vec<PathBuf> {
    let skeleton = Skeleton::new("throw-away", "delivery", "delivery").expect("a name");
    skeleton
        .write(&tree.0)
        .expect("the skeleton can be written")
}

#[test]
fn a_function_is_few_files_by_hand_and_the_rest_follows() {
    let tree = Tree::new("few-files");
    let written = skeleton(&tree);
    println!("{} files are written by hand for a function", written.len());
    assert!(written.len() <= MOST_FILES, "{written:?}");
    let registry = tree.read("crates/domain/src/lib.rs");
    assert!(registry.contains("    pub mod throw_away;\n"));
    assert!(registry.contains("    &delivery::throw_away::THROW_AWAY,\n];"));

    let functions = [FUNCTIONS, &[&DONE]].concat();
    let files = generated::files(&tree.0, &functions).expect("files");
    let at = |end: &str| {
        let found = files.iter().find(|(path, _)| *path == tree.0.join(end));
        &found.expect(end).1
    };
    assert!(
        at("crates/throw-away/src/lib.rs")
            .contains("export!(interlock_domain::delivery::throw_away::THROW_AWAY);")
    );
    assert!(at("crates/throw-away/tests/corpus.rs").contains("tests/corpus/throw-away.json"));
    assert!(at("functions/throw-away/index.ts").contains("serve(core)"));
    assert!(
        at("supabase/config.toml")
            .contains("[functions.throw-away]\nenabled = true\nverify_jwt = true\n")
    );
    assert!(at("functions/_shared/cores.ts").contains("[\"throw-away\", throwAway],"));
}

#[test]
fn a_skeleton_is_red_where_it_waits_for_words_and_green_with_them() {
    let tree = Tree::new("red-and-green");
    let written = skeleton(&tree);
    let told = tree.missing(&DONE);
    for path in written {
        let text = fs::read_to_string(&path).expect("a text");
        let place = path
            .strip_prefix(&tree.0)
            .expect("in the tree")
            .display()
            .to_string();
        if text.contains(FILL_IN) {
            assert!(
                told.iter().any(|part| part.contains(&place)),
                "{place} is not told of: {told:#?}"
            );
        }
    }
    tree.fill_in();
    assert_eq!(tree.missing(&DONE), Vec::<String>::new());
}

#[test]
fn each_forgotten_part_is_told_of() {
    let tree = Tree::new("forgotten");
    skeleton(&tree);
    tree.fill_in();
    let forget_file = |part: &str| fs::remove_file(tree.0.join(part)).expect(part);
    let forgotten: [(&str, &str, &dyn Fn()); 11] = [
        (WORKER, "has no interlock.throw_away", &|| {
            forget_file(WORKER)
        }),
        (WORKER, "lacks IDEMPOTENCY_KEY_REUSED", &|| {
            tree.replace(WORKER, "IDEMPOTENCY_KEY_REUSED", "");
        }),
        (WORKER, "lacks BATCH_NOT_FOUND", &|| {
            tree.replace(WORKER, "-- Errors:", "-- Errors: BATCH_NOT_FOUND,");
        }),
        (WRAPPER, "has no public.throw_away", &|| {
            forget_file(WRAPPER)
        }),
        (WRAPPER, "has no argument p_batch_id", &|| {
            tree.replace(WRAPPER, "p_batch_id", "p_other")
        }),
        (WRAPPER, "has no comment", &|| {
            tree.replace(WRAPPER, "comment on", "-- comment on")
        }),
        (RIGHTS, "grants public.throw_away", &|| {
            tree.replace(
                RIGHTS,
                "grant execute on function public.throw_away(text)",
                "grant execute on function public.other()",
            );
        }),
        (AREA, "no module of tests/areas/delivery tests it", &|| {
            tree.replace(AREA, "mod throw_away;", "")
        }),
        (DOCS, "has no section `## throw-away`", &|| {
            tree.replace(DOCS, "## throw-away", "## other")
        }),
        (CORPUS, "lacks the sample \"a batch\"", &|| {
            forget_file(CORPUS)
        }),
        (EXAMPLES, "has no answers of it", &|| forget_file(EXAMPLES)),
    ];
    for (part, expected, forget) in forgotten {
        let before = tree.read(part);
        forget();
        let told = tree.missing(&DONE);
        assert!(
            told.iter().any(|part| part.contains(expected)),
            "{expected}: {told:#?}"
        );
        tree.write(part, &before);
    }
    assert_eq!(tree.missing(&DONE), Vec::<String>::new());
}

#[test]
fn a_record_without_its_words_samples_or_codes_is_told_of() {
    let tree = Tree::new("records");
    skeleton(&tree);
    tree.fill_in();
    let told = DONE.told;
    let refused = Sample {
        name: "bad",
        body: "{}",
    };
    let samples: &'static [Sample] = vec![refused].leak();
    for (expected, told) in [
        (
            "has no summary",
            Told {
                summary: "",
                ..told
            },
        ),
        (
            "has no description",
            Told {
                description: " ",
                ..told
            },
        ),
        (
            "has no purpose",
            Told {
                purpose: "",
                ..told
            },
        ),
        (
            "does not say what /batch_id means",
            Told {
                fields: &[],
                ..told
            },
        ),
        (
            "has no schema ThrowAwayAnswer",
            Told {
                schemas: &[],
                ..told
            },
        ),
        (
            "has no sample request",
            Told {
                samples: &[],
                ..told
            },
        ),
        ("the sample \"bad\" is refused", Told { samples, ..told }),
        (
            "does not lead to p_more",
            Told {
                always: &["p_more"],
                ..told
            },
        ),
        ("lacks IDEMPOTENCY_KEY_REUSED", Told { codes: &[], ..told }),
        (
            "lacks DRIVER_BUSY",
            Told {
                codes: &[Code::IdempotencyKeyReused, Code::DriverBusy],
                ..told
            },
        ),
    ] {
        let missing = tree.missing(&Function { told, ..DONE });
        assert!(
            missing.iter().any(|part| part.contains(expected)),
            "{expected}: {missing:#?}"
        );
    }
}

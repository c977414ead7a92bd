//! `npm test -- --area NAME`: what concerns one area and nothing else, for the loop of who works on it.
//!
//! An area is a folder of tests/areas. To it belong the tests of that folder, those of its functions in crates/domain
//! (their corpora too), and the database tests of supabase/tests/NAME; database tests that lie directly in
//! supabase/tests belong to every area.

use std::fs;

use anyhow::{Context, Result, bail};
use interlock_domain::FUNCTIONS;

use super::steps::Step;
use crate::repo::Repo;

/// What the steps of a run must know of its area.
#[derive(Debug)]
pub(super) struct Area {
    /// As in tests/areas.
    pub(super) name: String,
    functions: Vec<String>,
}

impl Area {
    /// The area of that name.
    pub(super) fn named(repo: &Repo, name: &str) -> Result<Self> {
        let mut known = areas(repo)?;
        known.sort();
        if !known.iter().any(|area| area == name) {
            bail!(
                "there is no area {name:?}; tests/areas has: {}",
                known.join(", ")
            );
        }
        let of_it = FUNCTIONS
            .iter()
            .filter(|function| function.told.area == name);
        let functions = of_it.map(|function| function.name.to_owned()).collect();
        Ok(Self {
            name: name.to_owned(),
            functions,
        })
    }

    /// Whether a step has something of this area.
    pub(super) fn has(&self, step: Step) -> bool {
        match step {
            Step::Tools | Step::Build | Step::Stack | Step::Pgtap | Step::E2e => true,
            Step::Unit => !self.functions.is_empty(),
            _ => false,
        }
    }

    /// What the names of its tests in the crates have in them.
    pub(super) fn unit_tests(&self) -> Vec<String> {
        let mut names = vec![format!("{}::", self.name)];
        let modules = self.functions.iter().map(|name| name.replace('-', "_"));
        names.extend(modules);
        names
    }

    /// How the names of its end-to-end tests begin.
    pub(super) fn end_to_end(&self) -> String {
        format!("areas::{}::", self.name)
    }
}

/// The folders of tests/areas.
fn areas(repo: &Repo) -> Result<Vec<String>> {
    let folder = repo.root.join("tests/areas");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir());
    Ok(entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_of_an_area_that_has_tests() {
        let repo = Repo::open().expect("this is a repository");
        let of: usize = areas(&repo)
            .expect("there are areas")
            .iter()
            .map(|name| {
                let area = Area::named(&repo, name).expect("every function says its area");
                area.functions.len()
            })
            .sum();
        assert_eq!(of, repo.functions().expect("there are functions").len());
    }

    #[test]
    fn an_unknown_area_is_refused_and_the_known_ones_named() {
        let repo = Repo::open().expect("this is a repository");
        let error = Area::named(&repo, "nowhere")
            .expect_err("there is none")
            .to_string();
        assert!(
            error.contains("delivery") && error.contains("shop"),
            "{error}"
        );
    }
}

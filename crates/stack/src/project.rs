//! What `supabase/config.toml` says about this project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A project, as far as the local stack is concerned.
#[derive(Debug)]
pub(crate) struct Project {
    /// The directory that has `supabase/config.toml`.
    pub(crate) root: PathBuf,
    /// The enabled functions, by name.
    pub(crate) functions: Vec<Function>,
    /// Schemas that the API exposes.
    pub(crate) schemas: Vec<String>,
    /// Schemas that the API adds to the search path.
    pub(crate) extra_search_path: Vec<String>,
    /// The most rows that one answer of the API has.
    pub(crate) max_rows: u64,
    /// Who may sign up, and how.
    pub(crate) auth: AuthSettings,
}

/// `[auth]`, as far as the local stack's Auth has it; the defaults are those of the CLI.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct AuthSettings {
    /// Whether anybody may make an account.
    pub(crate) enable_signup: bool,
    /// Whether one may be a guest.
    pub(crate) enable_anonymous_sign_ins: bool,
    /// For how many seconds an access token is good.
    pub(crate) jwt_expiry: i64,
    /// For how many seconds after its use a refresh token may be used again.
    pub(crate) refresh_token_reuse_interval: i64,
    /// How many bytes a password has at least.
    pub(crate) minimum_password_length: usize,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            enable_signup: true,
            enable_anonymous_sign_ins: false,
            jwt_expiry: 3600,
            refresh_token_reuse_interval: 10,
            minimum_password_length: 6,
        }
    }
}

/// One `[functions.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name in the URL.
    pub(crate) name: String,
    /// The module that exports `{ fetch }`.
    pub(crate) entrypoint: PathBuf,
    /// A `deno.json` or an import map.
    pub(crate) import_map: Option<PathBuf>,
    /// Whether the gateway asks for a token.
    pub(crate) verify_jwt: bool,
}

#[derive(Deserialize, Default)]
struct RawConfig {
    #[serde(default)]
    api: RawApi,
    #[serde(default)]
    auth: AuthSettings,
    #[serde(default)]
    functions: BTreeMap<String, RawFunction>,
}

#[derive(Deserialize, Default)]
struct RawApi {
    schemas: Option<Vec<String>>,
    extra_search_path: Option<Vec<String>>,
    max_rows: Option<u64>,
}

#[derive(Deserialize)]
struct RawFunction {
    enabled: Option<bool>,
    entrypoint: Option<String>,
    import_map: Option<String>,
    verify_jwt: Option<bool>,
}

impl Project {
    /// Finds the project at `root`, or else around the working directory.
    pub(crate) fn find(root: Option<&Path>) -> Result<Self> {
        let root = match root {
            Some(root) => root
                .canonicalize()
                .with_context(|| format!("there is no directory {}", root.display()))?,
            None => {
                let start = std::env::current_dir().context("the working directory is gone")?;
                let found = start
                    .ancestors()
                    .find(|dir| dir.join("supabase/config.toml").is_file());
                match found {
                    Some(root) => root.to_path_buf(),
                    None => bail!(
                        "neither {} nor a directory above it has supabase/config.toml; run this inside the repository or pass --root",
                        start.display()
                    ),
                }
            }
        };
        let path = root.join("supabase/config.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(root, &text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(root: PathBuf, text: &str) -> Result<Self> {
        let config: RawConfig = toml::from_str(text)?;
        let supabase = root.join("supabase");
        let functions = config
            .functions
            .into_iter()
            .filter(|(_, function)| function.enabled.unwrap_or(true))
            .map(|(name, function)| {
                let entrypoint = match &function.entrypoint {
                    Some(path) => supabase.join(path),
                    None => supabase.join("functions").join(&name).join("index.ts"),
                };
                Function {
                    entrypoint,
                    import_map: function.import_map.map(|path| supabase.join(path)),
                    verify_jwt: function.verify_jwt.unwrap_or(true),
                    name,
                }
            })
            .collect();
        // The platform's own default also has graphql_public, which needs an extension we lack.
        let schemas = config.api.schemas.unwrap_or_else(|| vec!["public".into()]);
        Ok(Self {
            root,
            functions,
            schemas: schemas
                .into_iter()
                .filter(|schema| schema != "graphql_public")
                .collect(),
            extra_search_path: config
                .api
                .extra_search_path
                .unwrap_or_else(|| vec!["public".into(), "extensions".into()]),
            max_rows: config.api.max_rows.unwrap_or(1000),
            auth: config.auth,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Project> {
        Project::parse(PathBuf::from("/repo"), text)
    }

    #[test]
    fn a_function_outside_supabase_keeps_its_place() {
        let project = parse(
            r#"
            project_id = "interlock"
            [api]
            schemas = ["public", "graphql_public"]
            [functions.claim-route]
            entrypoint = "../functions/claim-route/index.ts"
            import_map = "../functions/claim-route/deno.json"
            verify_jwt = false
            [functions.old]
            enabled = false
            [functions.plain]
            "#,
        )
        .unwrap();
        assert_eq!(project.schemas, ["public"]);
        assert_eq!(project.functions.len(), 2);
        assert_eq!(
            project.functions[0],
            Function {
                name: "claim-route".into(),
                entrypoint: "/repo/supabase/../functions/claim-route/index.ts".into(),
                import_map: Some("/repo/supabase/../functions/claim-route/deno.json".into()),
                verify_jwt: false,
            }
        );
        let plain = &project.functions[1];
        assert_eq!(
            plain.entrypoint,
            Path::new("/repo/supabase/functions/plain/index.ts")
        );
        assert!(plain.verify_jwt, "the platform checks tokens by default");
    }

    #[test]
    fn an_empty_file_is_a_project_without_functions() {
        let project = parse("").unwrap();
        assert!(project.functions.is_empty());
        assert_eq!(project.extra_search_path, ["public", "extensions"]);
        assert_eq!(project.auth, AuthSettings::default());
    }

    #[test]
    fn auth_is_as_the_project_says_and_else_as_the_cli_has_it() {
        let text = "[auth]\nenable_anonymous_sign_ins = true\nsite_url = \"x\"\n[auth.email]\nenable_signup = true";
        let auth = parse(text).unwrap().auth;
        assert!(auth.enable_anonymous_sign_ins && auth.enable_signup);
        assert_eq!(auth.jwt_expiry, 3600);
    }

    #[test]
    fn a_wrong_type_is_reported_with_its_place() {
        let error = parse("[functions.x]\nverify_jwt = \"yes\"").unwrap_err();
        assert!(format!("{error:#}").contains("verify_jwt"), "{error:#}");
    }
}

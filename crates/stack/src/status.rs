//! What a running stack tells other programs, in the words of `supabase status`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::dirs::Dirs;
use crate::{keys, postgres};

/// Variables by name, and the processes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Process ids; `supervisor` is the stack itself.
    pub(crate) pids: BTreeMap<String, u32>,
    /// The variables of `supabase status -o env`, and a few of our own.
    #[serde(flatten)]
    pub(crate) variables: BTreeMap<String, String>,
}

/// How `status` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// `NAME="value"` lines.
    Env,
    /// One line of JSON.
    Json,
    /// A table for people.
    #[default]
    Pretty,
}

impl Status {
    /// The variables of a stack on these ports.
    pub(crate) fn new(api_port: u16, db_port: u16) -> Result<Self> {
        let api = format!("http://127.0.0.1:{api_port}");
        let variables = [
            ("REST_URL", format!("{api}/rest/v1")),
            ("FUNCTIONS_URL", format!("{api}/functions/v1")),
            ("API_URL", api),
            ("DB_URL", postgres::url(db_port)),
            ("INTERLOCK_ADMIN_DB_URL", postgres::admin_url(db_port)),
            ("JWT_SECRET", keys::JWT_SECRET.to_owned()),
            ("ANON_KEY", keys::anon_key()?),
            ("SERVICE_ROLE_KEY", keys::service_role_key()?),
            ("PUBLISHABLE_KEY", keys::PUBLISHABLE_KEY.to_owned()),
            ("SECRET_KEY", keys::SECRET_KEY.to_owned()),
        ];
        Ok(Self {
            pids: BTreeMap::new(),
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        })
    }

    /// The root of the API.
    pub(crate) fn api_url(&self) -> &str {
        self.variables.get("API_URL").map_or("", String::as_str)
    }

    /// Publishes the status; readers see all of it or nothing.
    pub(crate) fn write(&self, dirs: &Dirs) -> Result<()> {
        let path = dirs.status_file();
        let next = path.with_extension("json.next");
        let mut file = fs::File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&next)
            .with_context(|| format!("cannot write {}", next.display()))?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        fs::rename(&next, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What a stack wrote, whether or not it still runs.
    pub(crate) fn read(dirs: &Dirs) -> Option<Self> {
        serde_json::from_slice(&fs::read(dirs.status_file()).ok()?).ok()
    }

    /// The status of the stack that runs in this directory.
    pub(crate) fn of_running(dirs: &Dirs) -> Result<Self> {
        if !dirs.in_use()? {
            bail!(
                "no stack is running in {}; start one with `npm start`",
                dirs.base.display()
            );
        }
        Self::read(dirs).context("the stack is still starting; try again in a moment")
    }

    /// The text for `status -o …`.
    pub(crate) fn render(&self, format: Format) -> Result<String> {
        Ok(match format {
            Format::Json => serde_json::to_string(self)? + "\n",
            Format::Env => self
                .variables
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\"\n"))
                .collect(),
            Format::Pretty => {
                let is_key = |name: &str| name.ends_with("KEY") || name.contains("SECRET");
                let list =
                    |title: &str, lines: Vec<String>| format!("{title}\n{}\n", lines.concat());
                let variables = |keys: bool| {
                    let chosen = self.variables.iter();
                    let chosen = chosen.filter(|(name, _)| is_key(name) == keys);
                    chosen
                        .map(|(name, value)| format!("  {name:<24} {value}\n"))
                        .collect()
                };
                let pids = self.pids.iter();
                let pids = pids.map(|(name, pid)| format!("  {name:<24} {pid}\n"));
                list("Addresses", variables(false))
                    + &list("Keys", variables(true))
                    + &list("Processes", pids.collect())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_output_is_what_a_shell_can_source() {
        let text = Status::new(54321, 54322)
            .unwrap()
            .render(Format::Env)
            .unwrap();
        assert!(text.contains("API_URL=\"http://127.0.0.1:54321\"\n"));
        assert!(
            text.contains("DB_URL=\"postgresql://postgres:postgres@127.0.0.1:54322/postgres\"\n")
        );
        assert!(text.lines().all(|line| line.ends_with('"')));
    }

    #[test]
    fn people_see_keys_apart_from_addresses_and_processes() {
        let mut status = Status::new(1, 2).unwrap();
        status.pids.insert("api".to_owned(), 7);
        let text = status.render(Format::Pretty).unwrap();
        let [addresses, keys, processes, ""] = text.split("\n\n").collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        assert!(addresses.starts_with("Addresses\n") && addresses.contains("API_URL"));
        assert!(
            keys.starts_with("Keys\n")
                && keys.contains("sb_secret_")
                && keys.contains("JWT_SECRET")
        );
        assert!(!addresses.contains("sb_secret_"), "{addresses}");
        assert_eq!(processes, "Processes\n  api                      7");
    }

    #[test]
    fn json_output_reads_back() {
        let status = Status::new(1, 2).unwrap();
        let text = status.render(Format::Json).unwrap();
        let back: Status = serde_json::from_str(&text).unwrap();
        assert_eq!(back.variables, status.variables);
    }
}

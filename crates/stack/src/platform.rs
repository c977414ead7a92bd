//! What the Supabase platform gives a database before the first migration.

use clap::ValueEnum;

const PLATFORM: &str = include_str!("../platform/platform.sql");
/// The platform's Storage, where the stack has one.
pub(crate) const STORAGE: &str = include_str!("../platform/storage.sql");
const LEGACY: &str = include_str!("../platform/default-privileges-legacy.sql");
const STRICT: &str = include_str!("../platform/default-privileges-strict.sql");

/// What the API roles may do with an object that a migration creates in `public`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DefaultPrivileges {
    /// Everything, until the migration revokes it, as in every project that exists today.
    #[default]
    Legacy,
    /// Nothing, until the migration grants it, as in new projects.
    Strict,
}

/// The whole bootstrap script: repeatable, for any superuser, Postgres 15 or later.
pub(crate) fn sql(privileges: DefaultPrivileges) -> String {
    let privileges = match privileges {
        DefaultPrivileges::Legacy => LEGACY,
        DefaultPrivileges::Strict => STRICT,
    };
    format!("{PLATFORM}\n{privileges}")
}

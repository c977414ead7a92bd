//! What has happened, told outside.

#[cfg(test)]
mod mail_webhook;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod over_http;
#[cfg(test)]
mod races;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod urls;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "update interlock.webhook_endpoints set active = false where active and coalesce(url like 'http://127.0.0.1:%', true);",
    #[cfg(test)]
    documented: &[
        |bench| Box::pin(over_http::documented(bench)),
        |bench| Box::pin(mail_webhook::documented(bench)),
    ],
    #[cfg(test)]
    scenes: &[],
    #[cfg(test)]
    scene_rows: "",
    #[cfg(test)]
    after_scene: "",
    stages: &[],
    sweeps: &[],
    histories: None,
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};

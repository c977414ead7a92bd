//! Which part of the machine a request keeps busy.

use crate::function::process::{Process, cpu};
use crate::storm::shop::Shop;
use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// As in the figures. The gateway is the stack's own process; on the platform it is another one.
pub(crate) const NAMES: [&str; 4] = ["function", "gateway", "API", "database"];

/// The time that each has been running on a processor.
#[derive(Debug)]
pub(crate) struct Parts([Duration; 4]);

impl Parts {
    pub(crate) fn now(shop: &Shop, process: &Process) -> Result<Self> {
        let pid = |name: &str| {
            let pid = shop.pids.get(name).copied();
            pid.with_context(|| format!("the stack has no part {name}"))
        };
        let server = pid("postgres")?;
        let mut database = cpu(server)?;
        for backend in children(server)? {
            // One that has ended meanwhile has no time any more.
            database += cpu(backend).unwrap_or_default();
        }
        Ok(Parts([
            process.cpu()?,
            cpu(pid("supervisor")?)?,
            cpu(pid("api")?)?,
            database,
        ]))
    }

    /// What each has taken of so many requests, in microseconds a request.
    pub(crate) fn since(&self, before: &Self, requests: usize) -> [f64; 4] {
        [0, 1, 2, 3].map(|part| {
            let spent = self.0[part].saturating_sub(before.0[part]);
            spent.as_secs_f64() * 1e6 / requests as f64
        })
    }
}

/// The processes that a process has started.
fn children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("processes are read from /proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which may hold anything: the state and the parent.
        let parents = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' '));
        if parents.and_then(|mut rest| rest.nth(1)) == Some(parent.to_string().as_str()) {
            found.push(pid);
        }
    }
    Ok(found)
}

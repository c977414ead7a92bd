//! The machine that a run was made on.

use serde::Serialize;
use std::fs;

/// What a reader needs to know about the machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    /// Of memory, rounded.
    pub(crate) gigabytes: Option<u64>,
    /// The processor's own name.
    pub(crate) processor: Option<String>,
    /// Such as `linux x86_64`.
    pub(crate) system: String,
    /// Such as `17.10`.
    pub(crate) postgres: Option<String>,
    /// How many programs wanted a core in the minute before the run.
    pub(crate) load_before: Option<f64>,
}

impl Machine {
    /// This one, before the run begins; only Linux tells memory, processor and load.
    pub(crate) fn before_run(postgres: Option<String>) -> Self {
        let kilobytes: Option<u64> = field("/proc/meminfo", "MemTotal")
            .and_then(|text| text.trim_end_matches(" kB").parse().ok());
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            gigabytes: kilobytes.map(|kilobytes| (kilobytes + (1 << 19)) >> 20),
            processor: field("/proc/cpuinfo", "model name"),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            postgres,
            load_before: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    /// In one line.
    pub(crate) fn describe(&self) -> String {
        let mut parts = vec![format!("{} cores", self.cores)];
        parts.extend(self.processor.clone());
        parts.extend(self.gigabytes.map(|size| format!("{size} GB")));
        parts.push(self.system.clone());
        parts.extend(self.postgres.as_ref().map(|v| format!("Postgres {v}")));
        parts.extend(
            self.load_before
                .map(|load| format!("load average {load:.1} before")),
        );
        parts.join(", ")
    }
}

/// The first `name: value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

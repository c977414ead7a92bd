//! The stack's own directory, `.interlock`, and its locks.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::progress::say;

/// Paths inside the directory.
#[derive(Debug, Clone)]
pub(crate) struct Dirs {
    /// The directory itself.
    pub(crate) base: PathBuf,
    /// The database.
    pub(crate) data: PathBuf,
    /// The database's replica.
    pub(crate) replica: PathBuf,
    /// The files that Storage keeps.
    pub(crate) storage: PathBuf,
    /// One file per part with its process id.
    pub(crate) run: PathBuf,
    /// Locked by the guard of every part.
    pub(crate) parts_lock: PathBuf,
    logs: PathBuf,
    lock: PathBuf,
}

impl Dirs {
    /// Names the paths; touches nothing.
    pub(crate) fn new(root: &Path, dir: &Path) -> Self {
        let base = root.join(dir);
        Self {
            data: base.join("pg"),
            replica: base.join("replica"),
            storage: base.join("storage"),
            run: base.join("run"),
            parts_lock: base.join("parts.lock"),
            logs: base.join("logs"),
            lock: base.join("lock"),
            base,
        }
    }

    /// Creates what is missing.
    pub(crate) fn create(&self) -> Result<()> {
        for dir in [&self.base, &self.run, &self.logs] {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create {}", dir.display()))?;
        }
        Ok(())
    }

    /// The file with what a running stack tells others.
    pub(crate) fn status_file(&self) -> PathBuf {
        self.base.join("status.json")
    }

    /// The log of a part, empty; the previous run's is kept beside it.
    pub(crate) fn fresh_log(&self, name: &str) -> Result<PathBuf> {
        let log = self.logs.join(format!("{name}.log"));
        if log.exists() {
            std::fs::rename(&log, self.logs.join(format!("{name}.previous.log")))
                .with_context(|| format!("cannot rotate {}", log.display()))?;
        }
        Ok(log)
    }

    /// Takes the directory for this process; `None` when another one has it.
    pub(crate) fn try_lock(&self) -> Result<Option<File>> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(&self.lock)
            .with_context(|| format!("cannot open {}", self.lock.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", self.lock.display()))
            }
        }
    }

    /// Whether a stack runs in this directory.
    pub(crate) fn in_use(&self) -> Result<bool> {
        if !self.lock.exists() {
            return Ok(false);
        }
        Ok(self.try_lock()?.is_none())
    }

    /// Waits for the guards of a killed run, which are stopping their parts now.
    pub(crate) async fn wait_for_old_parts(&self) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(20);
        let file = File::options()
            .create(true)
            .append(true)
            .open(&self.parts_lock)
            .with_context(|| format!("cannot open {}", self.parts_lock.display()))?;
        let started = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                say("  … an earlier run was killed; its parts are being stopped");
                told = true;
            }
            if started.elapsed() > PATIENCE {
                bail!(
                    "parts of an earlier run are still there; their process ids are in {}",
                    self.run.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

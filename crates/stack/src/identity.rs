//! Who Postgres runs as. It refuses to be root, and the user it becomes instead may not
//! be able to enter the directory that the repository lies in.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{User, geteuid};
use tokio::process::Command;

/// How a program is given another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// It keeps ours.
    Same,
    /// Another user and group.
    User(u32, u32),
    /// Another user and group that keep one capability of root.
    Setpriv(u32, u32, &'static str),
}

impl Identity {
    /// The identity for a database in `data`, which exists and is given to that user.
    pub(crate) async fn for_postgres(postgres: &Path, data: &Path) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Same);
        }
        let (uid, gid) = unprivileged(data)?;
        std::os::unix::fs::chown(data, Some(uid), Some(gid))
            .with_context(|| format!("cannot give {} to user {uid}", data.display()))?;
        // The least that works: nothing, then leave to enter directories, then to run
        // programs whose mode is for root only.
        let candidates = [
            Self::User(uid, gid),
            Self::Setpriv(uid, gid, "dac_read_search"),
            Self::Setpriv(uid, gid, "dac_override"),
        ];
        for candidate in candidates {
            if candidate.reaches(postgres, data).await {
                return Ok(candidate);
            }
        }
        bail!(
            "Postgres refuses to run as root, and user {uid}, who would run it instead, cannot reach {} or {}. \
             Let that user enter the directories above (chmod o+x), install util-linux's setpriv and allow ambient capabilities, \
             or run the stack as an ordinary user",
            postgres.display(),
            data.display()
        )
    }

    /// The command line that runs `program` so, and ids for the one who spawns it.
    pub(crate) fn wrap(
        &self,
        program: &Path,
        args: &[OsString],
    ) -> (PathBuf, Vec<OsString>, Option<(u32, u32)>) {
        match self {
            Self::Same => (program.to_path_buf(), args.to_vec(), None),
            Self::User(uid, gid) => (program.to_path_buf(), args.to_vec(), Some((*uid, *gid))),
            Self::Setpriv(uid, gid, capability) => {
                let mut all: Vec<OsString> = vec![
                    format!("--reuid={uid}").into(),
                    format!("--regid={gid}").into(),
                    "--clear-groups".into(),
                    format!("--inh-caps=+{capability}").into(),
                    format!("--ambient-caps=+{capability}").into(),
                    // Else access(2), which initdb asks about its own programs, would ignore
                    // the capability.
                    "--securebits=+no_setuid_fixup".into(),
                    "--".into(),
                    program.into(),
                ];
                all.extend_from_slice(args);
                ("setpriv".into(), all, None)
            }
        }
    }

    /// A command of ours that runs so.
    pub(crate) fn command(&self, program: &Path, args: &[OsString]) -> Command {
        let (program, args, ids) = self.wrap(program, args);
        let mut command = Command::new(program);
        command.args(args).kill_on_drop(true);
        if let Some((uid, gid)) = ids {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file to the user of this identity.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        if let Self::User(uid, gid) | Self::Setpriv(uid, gid, _) = self {
            std::os::unix::fs::chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot give {} to user {uid}", path.display()))?;
        }
        Ok(())
    }

    async fn reaches(&self, postgres: &Path, data: &Path) -> bool {
        let args = [
            "-c".into(),
            r#"cd "$2" && exec "$1" -V"#.into(),
            "sh".into(),
            postgres.into(),
            data.into(),
        ];
        let status = self
            .command(Path::new("/bin/sh"), &args)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .await;
        status.is_ok_and(|status| status.success())
    }
}

/// The owner of existing data, so that a directory made by an ordinary user stays theirs;
/// else `nobody`.
fn unprivileged(data: &Path) -> Result<(u32, u32)> {
    let owner =
        std::fs::metadata(data).with_context(|| format!("cannot look at {}", data.display()))?;
    if owner.uid() != 0 {
        return Ok((owner.uid(), owner.gid()));
    }
    let nobody = User::from_name("nobody")?.context(
        "there is no user \"nobody\" to run Postgres as; run the stack as an ordinary user",
    )?;
    Ok((nobody.uid.as_raw(), nobody.gid.as_raw()))
}

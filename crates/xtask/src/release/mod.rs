//! `cargo xtask release`: what is deployed and started without a compiler, as a folder, as archives of it, and with checksums.
//! Two people who make it of the same commit get the same bytes; `--reproduce` shows it.

mod archive;
mod reproduce;
pub(crate) mod sums;

use std::collections::BTreeMap;
use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use flate2::Compression;

use crate::build;
use crate::command::{build_quietly, cargo, run as run_command, stdout_of};
use crate::ensure;
use crate::progress::Progress;
use crate::repo::Repo;

/// The sum of the sources that a release was made of.
pub(crate) const SOURCES: &str = "SOURCES";

/// The programs that do without Rust what is done with it.
const PROGRAMS: [&str; 2] = ["xtask", "interlock-stack"];

/// Taken as they are, beside the functions.
const FOLDERS: [&str; 2] = ["supabase/migrations", "supabase/rollback"];
const FILES: [&str; 8] = [
    "CHANGELOG.md",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "supabase/config.toml",
    "supabase/seed.sql",
    "supabase/verify/expected.json",
    "supabase/verify/shops.json",
];

/// What to make of it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that is written; a release of the same version in it is replaced.
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
    /// Only what is the same on every system, or only this system's programs; by default both.
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// Cargo's profile for the programs.
    #[arg(long, value_name = "NAME", default_value = "tools")]
    profile: String,
    /// Write no release: make the archive for all systems here and in another folder, and compare; or this function's module only.
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, default_missing_value = reproduce::ALL)]
    reproduce: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Functions, migrations, client, console.
    Portable,
    /// The local stack and the commands.
    Tools,
}

/// Writes it.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    if let Some(what) = &args.reproduce {
        return reproduce::run(repo, what);
    }
    let parts = match args.only {
        Some(part) => vec![part],
        None => vec![Part::Portable, Part::Tools],
    };
    let name = name();
    let out = repo.root.join(&args.out);
    let folder = out.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut progress = Progress::of(1 + parts.len());
    progress.step("Tools and packages", || ensure::run_all(repo))?;
    // What is made to be tested need not be small, and is packed by a program that is not optimised.
    let level = match args.profile.as_str() {
        "dev" => Compression::none(),
        _ => Compression::best(),
    };
    let mut archives = BTreeMap::new();
    for part in parts {
        let (archive, sums, files) = match part {
            Part::Portable => progress.step("Functions, console, client", || {
                Ok((
                    format!("{name}.tar.gz"),
                    "SHA256SUMS".to_owned(),
                    portable(repo, &out)?,
                ))
            })?,
            Part::Tools => progress.step("The stack and the commands", || {
                let system = system();
                Ok((
                    format!("{name}-tools-{system}.tar.gz"),
                    format!("SHA256SUMS.{system}"),
                    tools(repo, &args.profile)?,
                ))
            })?,
        };
        let packed = Packed::of(files, &sums, level)?;
        for (path, bytes) in &packed.files {
            write(&out.join(path), bytes)?;
        }
        if part == Part::Portable {
            for (path, bytes) in packed
                .files
                .iter()
                .filter(|(path, _)| path.ends_with(".tgz"))
            {
                let own = path.rsplit('/').next().unwrap_or(path);
                archives.insert(own.to_owned(), bytes.clone());
            }
        }
        archives.insert(archive, packed.bytes);
    }
    for (archive, bytes) in &archives {
        write(&out.join(archive), bytes)?;
    }
    let listed = sums::listed(&archives);
    write(&out.join("SHA256SUMS"), listed.as_bytes())?;
    print!("{listed}");
    println!("the release is in {}", repo.relative(&folder));
    Ok(())
}

/// The folder that an archive unpacks to.
fn name() -> String {
    format!("interlock-{}", env!("CARGO_PKG_VERSION"))
}

/// An archive, and what is in it.
struct Packed {
    bytes: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Packed {
    /// Files and the list of their sums, in a folder of the release's name.
    fn of(files: BTreeMap<String, Vec<u8>>, sums: &str, level: Compression) -> Result<Self> {
        let listed = (sums.to_owned(), sums::listed(&files).into_bytes());
        let files = files
            .into_iter()
            .chain([listed])
            .map(|(path, bytes)| (format!("{}/{path}", name()), bytes))
            .collect();
        Ok(Self {
            bytes: archive::of(&files, level, |path| path.contains("/bin/"))?,
            files,
        })
    }
}

/// What is the same on every system.
fn portable(repo: &Repo, out: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    build::build(repo, &build::Args::default())?;
    build::console(repo, false)?;
    let mut files = BTreeMap::new();
    let mut take = |path: &str, from: &Path| -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        files.insert(path.to_owned(), bytes);
        Ok(())
    };
    for path in FILES {
        take(path, &repo.root.join(path))?;
    }
    for folder in FOLDERS {
        for name in names_in(&repo.root.join(folder))? {
            let path = format!("{folder}/{name}");
            take(&path, &repo.root.join(&path))?;
        }
    }
    for name in names_in(&repo.root.join("functions/_shared"))? {
        if !name.ends_with("_test.ts") && name != "testing.ts" {
            let path = format!("functions/_shared/{name}");
            take(&path, &repo.root.join(&path))?;
        }
    }
    for function in repo.functions()? {
        for name in ["core.d.ts", "core.js", "deno.json", "index.ts"] {
            let path = format!("functions/{function}/{name}");
            take(&path, &repo.root.join(&path))?;
        }
        // The module by itself as well, for who wants to look into it.
        let module = format!("{function}.wasm");
        take(
            &format!("modules/{module}"),
            &repo.target.join("functions").join(module),
        )?;
    }
    let console = repo.root.join("crates/console/dist");
    for name in names_in(&console)? {
        take(&format!("console/{name}"), &console.join(&name))?;
    }
    let client = client(repo, out)?;
    let name = client.file_name().unwrap_or_default().to_string_lossy();
    take(&format!("client/{name}"), &client)?;
    // With others the bytes may be others.
    let mut built_with = String::new();
    for program in ["rustc", "node"] {
        let version = stdout_of(
            Command::new(program)
                .current_dir(&repo.root)
                .arg("--version"),
        )?;
        built_with += &format!(
            "{program} {}\n",
            version.trim().trim_start_matches("rustc ")
        );
    }
    files.insert("BUILT_WITH".to_owned(), built_with.into_bytes());
    files.insert(
        SOURCES.to_owned(),
        format!("{}\n", sums::of_sources(&repo.root)?).into_bytes(),
    );
    Ok(files)
}

/// The typed client as npm packs it, without a time in it.
fn client(repo: &Repo, out: &Path) -> Result<PathBuf> {
    let mut pack = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    pack.current_dir(&repo.root)
        .args([
            "pack",
            "--silent",
            // Its own one, which compiles it; .npmrc says no to everybody's.
            "--ignore-scripts=false",
            "--workspace",
            "packages/client",
            "--pack-destination",
        ])
        .arg(out)
        .stdout(std::process::Stdio::null());
    run_command(&mut pack)?;
    let version = repo_version(repo)?;
    Ok(out.join(format!("interlock-client-{version}.tgz")))
}

fn repo_version(repo: &Repo) -> Result<String> {
    let path = repo.root.join("packages/client/package.json");
    let package: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let version = package["version"].as_str();
    version
        .map(str::to_owned)
        .context("the client has no version")
}

/// This system's programs.
fn tools(repo: &Repo, profile: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let folder = if profile == "dev" { "debug" } else { profile };
    for program in PROGRAMS {
        // As `npm start` builds it, which has it already: other flags would compile all of it anew.
        let mut command = cargo(&["build", "--profile", profile, "--package", program]);
        command.current_dir(&repo.root);
        if profile != "dev" {
            command.env("CARGO_ENCODED_RUSTFLAGS", build::rustflags(repo));
        }
        build_quietly(&mut command)?;
        let file = format!("{program}{}", consts::EXE_SUFFIX);
        let built = repo.target.join(folder).join(&file);
        let bytes =
            fs::read(&built).with_context(|| format!("cargo did not write {}", built.display()))?;
        files.insert(format!("bin/{}/{file}", system()), bytes);
    }
    Ok(files)
}

/// This system, as Node calls it in `process.platform` and `process.arch`.
pub(crate) fn system() -> String {
    let os = match consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let cpu = match consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{cpu}")
}

/// Names of the files in a folder, sorted.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    if names.is_empty() {
        bail!("{} is empty", folder.display());
    }
    names.sort();
    Ok(names)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    #[cfg(unix)]
    if path.components().any(|part| part.as_os_str() == "bin") {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

//! What `npm start` says where Rust is missing, old or broken, or has nothing to link with: run as npm runs it, with programs on PATH that stand for Rust's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with Node and these programs, each a script that prints a text and ends with a code.
fn path_with(name: &str, programs: &[(&str, &str, i32)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    let node = Command::new("node")
        .args(["--print", "process.execPath"])
        .output()
        .expect("Node is on PATH");
    let node = String::from_utf8(node.stdout).expect("a path is text");
    std::os::unix::fs::symlink(node.trim(), folder.join("node")).expect("a link can be made");
    for (program, text, code) in programs {
        let file = folder.join(program);
        let script = format!("#!/bin/sh\necho '{text}'\nexit {code}\n");
        fs::write(&file, script).expect("a program can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
    folder
}

fn launch(path: &Path) -> Output {
    Command::new(path.join("node"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("launch.mjs"))
        .arg("start")
        .env("PATH", path)
        .output()
        .expect("Node runs")
}

/// It ends with code 1 and one line, which says this.
fn refuses(name: &str, programs: &[(&str, &str, i32)], sentence: &str) {
    let output = launch(&path_with(name, programs));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(sentence) && said.contains("https://rustup.rs"),
        "{said}"
    );
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn without_rust_it_says_what_to_install() {
    refuses("without", &[], "there is no cargo here");
}

#[test]
fn an_old_rust_is_told_with_the_version_that_is_needed() {
    let programs = [
        ("cargo", "cargo 1.80.1 (376290515 2024-07-16)", 0),
        ("rustc", "rustc 1.80.1 (3f5fd8dd4 2024-08-06)", 0),
    ];
    refuses("old", &programs, "Rust 1.80.1 is too old: Interlock needs ");
}

#[test]
fn a_rust_without_a_toolchain_is_told_so() {
    let programs = [
        ("cargo", "error: no default toolchain", 1),
        ("rustc", "error: no default toolchain", 1),
    ];
    refuses("broken", &programs, "Rust is here and does not run");
}

/// A cargo that is new enough, and fails to build with these words.
fn fails_to_build(name: &str, words: &str) -> Output {
    let rustc = ("rustc", "rustc 99.0.0 (000000000 2099-01-01)", 0);
    let folder = path_with(name, &[rustc]);
    let cargo = folder.join("cargo");
    let script =
        format!("#!/bin/sh\n[ $1 = --version ] && exit 0\nprintf '{words}\\n' >&2\nexit 101\n");
    fs::write(&cargo, script).expect("a program can be written");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("it can be run");
    launch(&folder)
}

/// What is new enough is asked to build, and what it says is shown when it cannot.
#[test]
fn what_cargo_says_is_shown_when_it_fails() {
    let words = "   Compiling a v1\\nerror: no space left";
    let output = fails_to_build("failing", words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{said}");
    assert!(said.starts_with("Building Interlock's own tool"), "{said}");
    assert!(said.contains("error: no space left"), "{said}");
}

/// As rustc says it on Linux, and what the cc of a bare macOS says.
#[test]
fn without_a_linker_it_says_what_to_install_and_not_what_cargo_said() {
    let linux =
        "error: linker `cc` not found\\n  |\\n  = note: No such file or directory (os error 2)";
    let macos = "error: linking with `cc` failed: exit status: 1\\n  = note: xcrun: error: invalid active developer path";
    for (name, words) in [("linux", linux), ("macos", macos)] {
        let output = fails_to_build(&format!("without-cc-{name}"), words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for wanted in [
            "apt install build-essential",
            "xcode-select --install",
            "releases.md",
        ] {
            assert!(said.contains(wanted), "{said}");
        }
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

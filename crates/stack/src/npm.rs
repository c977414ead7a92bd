//! Where npm puts native programs.

/// npm's names for this system, the usual C library first.
pub(crate) fn platforms() -> Vec<String> {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        arch => arch,
    };
    ["", "-glibc", "-musl"]
        .iter()
        .map(|library| format!("{os}-{arch}{library}"))
        .collect()
}

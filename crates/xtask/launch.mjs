// What `npm start`, `npm test` and the others call: says what is missing before cargo would be, builds the program that does the
// rest with one line of progress, and hands over to it. With `--prebuilt DIR`, or INTERLOCK_PREBUILT, that program comes out of a
// release, once every file there has the sum that the release says it has.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const oldestNode = 20;

/** @param {string} sentence */
function stop(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

/**
 * Whether a version is older than another, both as "1.94.0".
 * @param {string} version
 * @param {string} oldest
 */
function isOlder(version, oldest) {
  const [a, b] = [version, oldest].map((text) => text.split(".").map(Number));
  const at = b.findIndex((number, i) => (a[i] ?? 0) !== number);
  return at >= 0 && (a[at] ?? 0) < b[at];
}

function checkNode() {
  if (isOlder(process.versions.node, `${oldestNode}`)) {
    stop(
      `Node.js ${process.versions.node} is too old: install version ${oldestNode} or later from https://nodejs.org.`,
    );
  }
}

function checkRust() {
  const install =
    "install it from https://rustup.rs (one command, no root), open a new terminal and run this again.";
  const cargo = spawnSync("cargo", ["--version"], { cwd: root });
  if (cargo.error) {
    stop(
      `Interlock is built with Rust, and there is no cargo here: ${install} Or have a release do without it: docs/releases.md.`,
    );
  }
  const rustc = spawnSync("rustc", ["--version"], {
    cwd: root,
    encoding: "utf8",
  });
  const version = /^rustc (\d+\.\d+\.\d+)/.exec(rustc.stdout ?? "")?.[1];
  if (cargo.status !== 0 || !version) {
    stop(`Rust is here and does not run (try \`rustc --version\`); ${install}`);
  }
  const manifest = readFileSync(join(root, "Cargo.toml"), "utf8");
  const oldest = /rust-version = "([\d.]+)"/.exec(manifest)?.[1] ?? "1.0";
  if (isOlder(String(version), oldest)) {
    stop(
      `Rust ${version} is too old: Interlock needs ${oldest} or later. Run \`rustup update\`, or ${install}`,
    );
  }
}

/**
 * Whether cargo failed for want of a C linker. Asked afterwards: somebody may have told Rust of another one than cc, and macOS has a cc
 * that only says what to install.
 * @param {string} said
 */
function wantsLinker(said) {
  return /linker `[^`]+` not found|xcode-select|xcrun: error/.test(said);
}

/** Builds what does the rest; cargo's own words are shown only if it fails. */
function build() {
  return new Promise((resolve) => {
    const cargo = spawn(
      "cargo",
      ["build", "--package", "xtask", "--color=never"],
      { cwd: root, stdio: ["ignore", "inherit", "pipe"] },
    );
    const terminal = process.stderr.isTTY;
    let said = "";
    let line = "";
    let count = 0;
    cargo.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      const compiled = lines.filter((line) =>
        /^ +Compiling /.test(line)
      ).length;
      if (compiled === 0) return;
      const note = "Building Interlock's own tool (minutes the first time)";
      if (count === 0 && !terminal) process.stderr.write(`${note}\n`);
      count += compiled;
      if (terminal) {
        process.stderr.write(`\r\x1b[2K${note}: ${count} crates`);
      }
    });
    cargo.on("close", (code) => {
      if (terminal && count > 0) process.stderr.write("\r\x1b[2K");
      if (code !== 0) {
        if (wantsLinker(said)) {
          stop(
            "Rust links with a C compiler, and there is none here: install one (Debian, Ubuntu: `apt install build-essential`; macOS: `xcode-select --install`) and run this again. Or have a release do without it: docs/releases.md.",
          );
        }
        process.stderr.write(said);
        process.exit(code ?? 1);
      }
      resolve(undefined);
    });
  });
}

/** Takes `--prebuilt DIR` out of the arguments; the folder is meant from where npm was called. */
function prebuilt() {
  const own = process.argv;
  const at = own.findIndex((word) => /^--prebuilt(=|$)/.test(word));
  let folder = process.env.INTERLOCK_PREBUILT;
  if (at >= 0) {
    const [, inline] = own[at].split(/=(.*)/s);
    folder = inline ?? own[at + 1];
    own.splice(at, inline === undefined ? 2 : 1);
    if (!folder) {
      stop("--prebuilt: which folder? The one that a release unpacks to.");
    }
  }
  return folder && resolve(process.env.INIT_CWD ?? process.cwd(), folder);
}

/**
 * The program of a release, if all its files are what they were; a release is refused as a whole.
 * @param {string} folder
 */
function checkedProgram(folder) {
  const system = `${process.platform}-${process.arch}`;
  /** @type {Set<string>} */
  const checked = new Set();
  for (const list of ["SHA256SUMS", `SHA256SUMS.${system}`]) {
    const path = join(folder, list);
    if (!existsSync(path)) {
      stop(
        list === "SHA256SUMS"
          ? `${folder} is no release: it has no SHA256SUMS.`
          : `${folder} has no programs for ${system}: unpack the release's archive for it beside the other one (docs/releases.md).`,
      );
    }
    for (const line of readFileSync(path, "utf8").trim().split("\n")) {
      const [sum, file] = line.split("  ");
      const own = join(folder, file);
      const found = existsSync(own) &&
        createHash("sha256").update(readFileSync(own)).digest("hex");
      if (found !== sum) {
        stop(
          `${own} is not what the release had: unpack it again, and check the archive's own sum.`,
        );
      }
      checked.add(file);
    }
  }
  const program = `bin/${system}/xtask${
    process.platform === "win32" ? ".exe" : ""
  }`;
  if (!checked.has(program)) stop(`${folder} has no ${program}.`);
  return join(folder, program);
}

/**
 * @param {string} program
 * @param {string[]} first
 * @param {Record<string, string>} [variables]
 */
function handOver(program, first, variables) {
  const xtask = spawn(program, [...first, ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...variables },
  });
  // A terminal sends Ctrl-C to both of us: the other one ends first, in its order.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) {
    process.on(
      signal,
      () => xtask.kill(/** @type {NodeJS.Signals} */ (signal)),
    );
  }
  xtask.on("exit", (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else {
      process.exit(code ?? 1);
    }
  });
}

checkNode();
const release = prebuilt();
if (release) {
  handOver(checkedProgram(release), [], { INTERLOCK_PREBUILT: release });
} else {
  checkRust();
  await build();
  handOver("cargo", ["run", "--quiet", "--package", "xtask", "--"]);
}

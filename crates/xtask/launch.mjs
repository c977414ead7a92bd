// What `npm start`, `npm test` and the others call: says what is missing before cargo would be, builds the program that does the
// rest with one line of progress, and hands over to it.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
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

function checkTools() {
  if (isOlder(process.versions.node, `${oldestNode}`)) {
    stop(
      `Node.js ${process.versions.node} is too old: install version ${oldestNode} or later from https://nodejs.org.`,
    );
  }
  const install =
    "install it from https://rustup.rs (one command, no root), open a new terminal and run this again.";
  const cargo = spawnSync("cargo", ["--version"], { cwd: root });
  if (cargo.error) {
    stop(
      `Interlock is built with Rust, and there is no cargo here: ${install}`,
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
        process.stderr.write(said);
        process.exit(code ?? 1);
      }
      resolve(undefined);
    });
  });
}

function handOver() {
  const xtask = spawn(
    "cargo",
    ["run", "--quiet", "--package", "xtask", "--", ...process.argv.slice(2)],
    { cwd: root, stdio: "inherit" },
  );
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

checkTools();
await build();
handOver();

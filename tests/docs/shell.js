// A shell in which a page's lines are typed one block after the other, as its reader does.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { root } from "./blocks.js";

/** What a reader has without asking, and a machine that tests may not: `npm run` without building anew, and who is signed in. */
const PROGRAMS = {
  npm: `#!/bin/sh
[ "$1" = run ] || { echo "npm $1 is not part of this" >&2; exit 1; }
shift; [ "$1" = -s ] && shift
name=$1; shift; [ "$1" = -- ] && shift
case $name in
  stack) exec "$STACK_PROGRAM" --dir "$STACK_FOLDER" "$@" ;;
  *) exec "$XTASK_PROGRAM" "$name" "$@" ;;
esac
`,
  // What it is answered goes where the page sends it; the status comes here.
  curl: `#!/bin/sh
exec "$REAL_CURL" --silent --show-error --write-out '%{stderr}\\n<<<%{http_code}>>>\\n' "$@"
`,
};

/** A shell of the reader of one page. */
export class Shell {
  /** @param {Record<string, string>} variables */
  constructor(variables) {
    const folder = new URL("target/docs/bin/", root);
    const reader = this.folder = new URL("target/docs/reader/", root);
    mkdirSync(folder, { recursive: true });
    mkdirSync(reader, { recursive: true });
    for (const [name, text] of Object.entries(PROGRAMS)) {
      writeFileSync(new URL(name, folder), text);
      chmodSync(new URL(name, folder), 0o755);
    }
    const path = process.env.PATH ?? "";
    const curl = path.split(":").map((part) => `${part}/curl`);
    this.child = spawn("bash", ["--noprofile", "--norc"], {
      // Below the repository, and what a page writes is not in the way there.
      cwd: fileURLToPath(reader),
      env: {
        ...process.env,
        ...variables,
        REAL_CURL: curl.find((file) => isThere(file)) ?? "curl",
        PATH: `${fileURLToPath(folder)}:${path}`,
      },
    });
    this.out = "";
    this.err = "";
    this.child.stdout.on("data", (part) => this.#heard("out", part));
    this.child.stderr.on("data", (part) => this.#heard("err", part));
    this.waiting = () => {};
  }

  #heard(/** @type {"out" | "err"} */ where, /** @type {Buffer} */ part) {
    this[where] += part;
    this.waiting();
  }

  /**
   * Types a block, and answers what it printed, which commands failed, and the statuses of its calls.
   * @param {string} text
   */
  async type(text) {
    this.out = this.err = "";
    const end = `end-${crypto.randomUUID()}`;
    // Read as a whole first, so that no command of the block eats the next one as its input.
    const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
    this.child.stdin.write(
      `set -o pipefail -o errtrace; trap 'echo "<<<failed: $BASH_COMMAND>>>" >&2' ERR; eval ${quoted} </dev/null; trap - ERR\n` +
        `echo ${end}; echo ${end} >&2\n`,
    );
    await new Promise((resolve, reject) => {
      this.waiting = () => {
        if (this.out.includes(end) && this.err.includes(end)) {
          resolve(undefined);
        }
      };
      this.child.once(
        "exit",
        () => reject(new Error(`the shell ended: ${this.err}`)),
      );
      this.waiting();
    });
    const [printed = ""] = this.out.split(end);
    const [told = ""] = this.err.split(end);
    const all = (/** @type {RegExp} */ pattern) =>
      [...told.matchAll(pattern)].map((match) => match[1] ?? "");
    return {
      printed,
      told,
      failed: all(/<<<failed: ([^]*?)>>>/g),
      statuses: all(/<<<(\d{3})>>>/g),
    };
  }

  /**
   * Saves a program where the lines are typed; it finds what is installed in the repository.
   * @param {string} name
   * @param {string} text
   */
  save(name, text) {
    writeFileSync(new URL(name, this.folder), `${text}\n`);
  }

  close() {
    this.child.stdin.end();
    this.child.kill();
  }
}

function isThere(/** @type {string} */ file) {
  return process.getBuiltinModule("node:fs").existsSync(file);
}

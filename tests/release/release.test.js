// A release, used as its reader does: unpacked beside a clone on a machine without Rust. RELEASE is the folder that
// `cargo xtask release` has written into.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../../", import.meta.url));
const out = process.env.RELEASE ?? "";
const work = join(out, "without-rust");
const clone = join(work, "clone");
const unpacked = join(work, "unpacked");
const system = `${process.platform}-${process.arch}`;
const { version } = JSON.parse(read(join(root, "package.json")));
const name = `interlock-${version}`;
const release = join(unpacked, name);
/** @type {Record<string, string>} */
const variables = { ...process.env, NO_COLOR: "1" };

function read(/** @type {string} */ path) {
  return readFileSync(path, "utf8");
}

const sum = (/** @type {string} */ path) =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

function run(
  /** @type {string} */ program,
  /** @type {string[]} */ words,
  cwd = root,
) {
  return spawnSync(program, words, { cwd, encoding: "utf8", env: variables });
}

/** What npm would run in the clone. */
const command = (/** @type {string[]} */ ...words) =>
  run("node", ["crates/xtask/launch.mjs", ...words], clone);

before(() => {
  assert.ok(out, "run `cargo xtask test --only release`");
  rmSync(work, { recursive: true, force: true });
  // What git knows: nothing that was built.
  const listed = run("git", ["ls-files", "-co", "--exclude-standard", "-z"]);
  for (const path of listed.stdout.split("\0")) {
    if (!path || !existsSync(join(root, path))) continue;
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    cpSync(join(root, path), join(clone, path));
  }
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
  mkdirSync(unpacked);
  for (const archive of [name, `${name}-tools-${system}`]) {
    const tar = run("tar", ["-xzf", join(out, `${archive}.tar.gz`)], unpacked);
    assert.equal(tar.status, 0, tar.stderr);
  }
  // Node and what every system has; the rest of PATH is where Rust is.
  const programs = join(work, "programs");
  mkdirSync(programs);
  symlinkSync(process.execPath, join(programs, "node"));
  variables.PATH = `${programs}:/usr/bin:/bin`;
  for (const rust of ["cargo", "rustc"]) {
    assert.ok(
      run("sh", ["-c", `command -v ${rust}`]).status,
      `${rust} is on ${variables.PATH}`,
    );
  }
});
after(() => rmSync(work, { recursive: true, force: true }));

test("every file has the sum that is said of it, and so has every archive", () => {
  for (
    const [folder, list] of [
      [out, "SHA256SUMS"],
      [release, "SHA256SUMS"],
      [release, `SHA256SUMS.${system}`],
    ]
  ) {
    const lines = read(join(folder, list)).trim().split("\n");
    assert.ok(lines.length > 1);
    assert.deepEqual(
      [...lines].sort((a, b) => a.slice(66) < b.slice(66) ? -1 : 1),
      lines,
    );
    for (const line of lines) {
      const [expected, file] = line.split("  ");
      assert.equal(sum(join(folder, file)), expected, file);
    }
  }
});

test("it holds what is deployed, what is pushed, the client and the pages", () => {
  const listed = read(join(release, "SHA256SUMS")).trim().split("\n")
    .map((line) => line.slice(66));
  for (const migration of readdirSync(join(root, "supabase/migrations"))) {
    assert.ok(listed.includes(`supabase/migrations/${migration}`), migration);
  }
  const config = read(join(root, "supabase/config.toml"));
  const functions = [...config.matchAll(/^\[functions\.([\w-]+)\]/gm)]
    .map(([, name]) => name);
  assert.ok(functions.length > 9);
  for (const name of functions) {
    for (const file of ["core.js", "deno.json", "index.ts"]) {
      assert.ok(listed.includes(`functions/${name}/${file}`), name);
    }
    assert.ok(listed.includes(`modules/${name}.wasm`), name);
  }
  const client = `client/interlock-client-${version}.tgz`;
  assert.ok(listed.includes(client));
  const packed = run("tar", ["-tzf", join(release, client)]).stdout.split("\n");
  const { exports } = JSON.parse(
    read(join(root, "packages/client/package.json")),
  );
  const named = JSON.stringify(exports).match(/(?<="\.\/)[^"]+\.\w+(?=")/g);
  assert.ok(named?.includes("dist/index.js"));
  for (const file of named) assert.ok(packed.includes(`package/${file}`), file);
  assert.ok(listed.includes("console/console.wasm"));
  assert.ok(!listed.some((file) => /_test\.ts$|testing\.ts$/.test(file)));
});

test("one byte that differs, and nothing of it is run", () => {
  const file = join(release, "functions/checkout/core.js");
  const whole = read(file);
  writeFileSync(file, `${whole} `);
  const { status, stderr } = command("verify", "--prebuilt", release);
  writeFileSync(file, whole);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /functions\/checkout\/core\.js is not what the release had/,
  );
});

test("other sources than the release's are refused, and so is what compiles", () => {
  const compiles = command("build", "--prebuilt", release);
  assert.equal(compiles.status, 1);
  assert.match(compiles.stderr, /needs Rust: leave --prebuilt/);
  const file = join(clone, "crates/domain/src/lib.rs");
  const whole = read(file);
  writeFileSync(file, `${whole}\n`);
  const { status, stderr } = command("start", `--prebuilt=${release}`);
  writeFileSync(file, whole);
  assert.equal(status, 1);
  assert.match(stderr, /was made of other sources than this checkout has/);
});

test("without Rust the stack starts, the functions answer, and they are deployed", async () => {
  const words = ["start", "--prebuilt", release, "--json", "--api-port=0"];
  const stack = spawn(
    "node",
    ["crates/xtask/launch.mjs", ...words, "--db-port=0", "--console-port=0"],
    { cwd: clone, env: variables, stdio: ["pipe", "pipe", "pipe"] },
  );
  let said = "";
  stack.stderr.setEncoding("utf8").on("data", (text) => said += text);
  const ended = new Promise((resolve) => stack.on("exit", resolve));
  try {
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: stack.stdout }).once("line", resolve);
      ended.then(() => reject(new Error(said)));
    });
    const started = JSON.parse(line);
    const { API_URL, ANON_KEY, DB_URL } = started.variables ?? started;
    const answer = await fetch(`${API_URL}/functions/v1/checkout`, {
      method: "POST",
      headers: { authorization: `Bearer ${ANON_KEY}` },
      body: "{}",
    });
    assert.equal((await answer.json()).error, "UNAUTHENTICATED");
    assert.equal(answer.status, 401);

    const platform = await recorder();
    variables.SUPABASE_ACCESS_TOKEN = `sbp_${"0123456789".repeat(4)}`;
    const deployed = await new Promise((resolve) => {
      const deploy = spawn("node", [
        "crates/xtask/launch.mjs",
        ...["deploy", "--prebuilt", release, "--use-api"],
        ...["--project-ref", "abcdefghijklmnopqrst", "--db-url", DB_URL],
        ...["--profile", platform.profile],
      ], { cwd: clone, env: variables });
      let text = "";
      for (const stream of [deploy.stdout, deploy.stderr]) {
        stream.setEncoding("utf8").on("data", (part) => text += part);
      }
      deploy.on("exit", (code) => resolve({ code, text }));
    });
    platform.server.close();
    assert.equal(deployed.code, 0, deployed.text);
    assert.match(deployed.text, /everything is in place/);
    const core = read(join(release, "functions/checkout/core.js"));
    assert.ok(platform.sent.get("checkout")?.includes(core));
    assert.ok(platform.sent.size > 9);
  } finally {
    stack.kill("SIGTERM");
    await ended;
  }
});

/** The part of the platform's API that a deployment talks to. */
async function recorder() {
  /** @type {Map<string, string>} */
  const sent = new Map();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const parts = [];
    for await (const part of request) parts.push(part);
    const described = (/** @type {string} */ slug) => ({
      ...{ id: slug, slug, name: slug, status: "ACTIVE", version: 1 },
      ...{ created_at: 0, updated_at: 0, verify_jwt: true },
    });
    let body;
    if (url.pathname.endsWith("/functions/deploy")) {
      const slug = url.searchParams.get("slug") ?? "";
      sent.set(slug, Buffer.concat(parts).toString("utf8"));
      body = described(slug);
      response.statusCode = 201;
    } else if (url.pathname.endsWith("/functions")) {
      body = request.method === "PUT"
        ? { functions: [] }
        : [...sent.keys()].map(described);
    } else {
      response.statusCode = 404;
      body = { message: "Not Found" };
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  });
  await new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(undefined))
  );
  const address = server.address();
  assert.ok(address && typeof address === "object");
  const url = `http://127.0.0.1:${address.port}`;
  const profile = join(work, "profile.yaml");
  writeFileSync(
    profile,
    `name: release\napi_url: ${url}\ndashboard_url: ${url}\nproject_host: example.invalid\n`,
  );
  return { profile, sent, server };
}

test("the workflow runs commands that are there, and trusts nothing that can move", () => {
  const text = read(join(root, ".github/workflows/release.yml"));
  const workflow = parse(text);
  // YAML 1.1 reads `on` as true; 1.2, which this is, does not.
  assert.deepEqual(workflow.on.push.tags, ["v*"]);
  assert.deepEqual(workflow.permissions, { contents: "read" });
  const { scripts } = JSON.parse(read(join(root, "package.json")));
  const help = read(join(root, "crates/xtask/src/main.rs"));
  let runs = 0;
  for (const [job, { steps, needs = [] }] of Object.entries(workflow.jobs)) {
    for (const need of [needs].flat()) assert.ok(workflow.jobs[need], need);
    for (const step of steps) {
      if (step.uses) assert.match(step.uses, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
      for (const line of (step.run ?? "").split("\n")) {
        runs += 1;
        const npm = /npm run ([\w:-]+)/.exec(line)?.[1];
        if (npm) assert.ok(scripts[npm], `${job}: npm run ${npm}`);
        const task = /cargo xtask ([\w-]+)/.exec(line)?.[1];
        if (task) assert.match(help, new RegExp(`^    ${task}\\b`, "mi"), job);
        // What a tag is called is somebody's text.
        assert.doesNotMatch(line, /\$\{\{\s*github\.(ref|event|head)/);
      }
    }
  }
  assert.ok(runs > 5);
  // Only who publishes may sign and write, and that job runs nothing of a dependency.
  for (const [job, { permissions = {} }] of Object.entries(workflow.jobs)) {
    const writes = Object.values(permissions).includes("write");
    assert.equal(writes, job === "publish", job);
  }
  assert.deepEqual(workflow.jobs.publish.permissions, {
    attestations: "write",
    contents: "write",
    "id-token": "write",
  });
});

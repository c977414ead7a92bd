// The documentation's code blocks, run as they are written: each is run, checked, or says in a comment before it why not.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { money } from "../../examples/money.js";
import { blocksOf, isCode, pages, root } from "./blocks.js";
import { Shell } from "./shell.js";

/** @typedef {import("./blocks.js").Block} Block */

const { API_URL = "", DB_URL = "" } = process.env;

/** Pages whose SQL another test runs. */
const ELSEWHERE = { "docs/adopting.md": "tests/ship/docs.rs" };

const RUN = ["sql", "sh"];
const TYPED = ["ts", "js", "tsx"];

const ours = pages();
const blocks = ours.flatMap((page) => blocksOf(page))
  .filter(({ page, lang }) => !(page in ELSEWHERE && lang === "sql"));
const wanted = (/** @type {Block} */ block) =>
  isCode(block) && block.notRun === undefined;
/** What belongs to a symptom leaves nothing behind, and is tried by itself. */
const isOfSymptom = (/** @type {Block} */ block) =>
  (block.broken ?? block.brokenByTwo) !== undefined || block.mends;
const of = (/** @type {string} */ page, /** @type {string[]} */ langs) =>
  blocks.filter((block) =>
    block.page === page && langs.includes(block.lang) && wanted(block) &&
    !isOfSymptom(block)
  );

/** @type {pg.Client} */
let db;
before(async () => {
  assert.ok(
    API_URL && DB_URL,
    "run `cargo xtask test --only docs`, which starts a stack for it",
  );
  db = new pg.Client({ connectionString: DB_URL });
  await db.connect();
});
after(() => db.end());

test("each block is run, checked, or says why not", () => {
  const known = [...RUN, ...TYPED, "json"];
  const bare = blocks.filter((block) =>
    wanted(block) && !known.includes(block.lang)
  );
  const said = (/** @type {Block} */ block) =>
    `${block.where} is ${
      block.lang || "of no language"
    }, which nothing here runs: write <!-- not run: REASON --> before it, or call it text`;
  assert.deepEqual(bare.map(said), []);
  const empty = blocks.filter((block) =>
    block.notRun !== undefined && block.notRun.length < 10
  );
  assert.deepEqual(
    empty.map(({ where }) => where),
    [],
    "a reason is a sentence",
  );
});

test("a page whose SQL another test runs is there", () => {
  for (const page of Object.keys(ELSEWHERE)) {
    assert.ok(pages().includes(page), page);
  }
});

test("json is JSON, one value or one for each line", () => {
  for (
    const block of blocks.filter((block) =>
      block.lang === "json" && wanted(block)
    )
  ) {
    try {
      JSON.parse(block.text);
    } catch {
      for (const line of block.text.split("\n")) {
        assert.doesNotThrow(() => JSON.parse(line), `${block.where}: ${line}`);
      }
    }
  }
});

test("links go somewhere", () => {
  const broken = [];
  for (const page of pages()) {
    const text = readFileSync(new URL(page, root), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path
        ? new URL(path, new URL(page, root))
        : new URL(page, root);
      let there;
      try {
        there = file.pathname.endsWith(".md") ? readFileSync(file, "utf8") : "";
      } catch (error) {
        if (/** @type {{ code?: string }} */ (error).code === "EISDIR") {
          continue;
        }
        broken.push(`${page}: ${target}`);
        continue;
      }
      if (path !== "" && !file.pathname.endsWith(".md") && !isThere(file)) {
        broken.push(`${page}: ${target}`);
      }
      if (
        anchor && file.pathname.endsWith(".md") && !anchorsOf(there).has(anchor)
      ) {
        broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

for (const [at, look] of blocks.entries()) {
  const breaks = look.broken ?? look.brokenByTwo;
  if (breaks === undefined) continue;
  const next = blocks[at + 1];
  const mend = next?.mends ? next : undefined;
  test(`${look.where}: what is broken on purpose is seen${mend ? ", and mended" : ""}`, async () => {
    await (look.broken === undefined
      ? brokenByTwo(breaks, look, mend)
      : broken(breaks, look, mend));
  });
}

test("what mends stands behind what it mends", () => {
  const lonely = blocks.filter((block, at) =>
    block.mends &&
    (blocks[at - 1]?.broken ?? blocks[at - 1]?.brokenByTwo) === undefined
  );
  assert.deepEqual(lonely.map(({ where }) => where), []);
});

/** Pages that one only reads from: their SQL leaves nothing behind. */
const reads = ours.filter((page) =>
  of(page, ["sql"]).length > 0 && of(page, ["sh"]).length === 0
);
for (const page of reads) {
  test(`${page}: SQL`, async () => {
    await db.query("begin");
    try {
      for (const block of of(page, ["sql"])) await sql(block);
    } finally {
      await db.query("rollback");
    }
  });
}

/** Pages with lines for a shell: what they change stays, and what they say next builds on it. */
const typed = ours.filter((page) => of(page, ["sh"]).length > 0);
for (const page of typed) {
  test(`${page}: SQL and shell`, async () => {
    const shell = new Shell(variables());
    const settings = await settingsNow();
    try {
      for (const block of of(page, [...RUN, ...TYPED])) {
        if (block.lang === "sql") await sql(block);
        else if (block.lang === "sh") await sh(shell, block);
        else if (block.saved) shell.save(block.saved, block.text);
      }
    } finally {
      shell.close();
      await forTheNextReader(settings);
    }
  });
}

test("TypeScript and JavaScript say what is there", () => {
  const folder = new URL("target/docs/typed/", root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (
    const block of blocks.filter((block) =>
      TYPED.includes(block.lang) && wanted(block)
    )
  ) {
    const name = block.where.replace(/[^a-zA-Z0-9]+/g, "-");
    const ending = block.lang === "tsx" ? "tsx" : "ts";
    writeFileSync(
      new URL(`${name}.${ending}`, folder),
      `// ${block.where}\n${block.text}\nexport {};\n`,
    );
  }
  writeFileSync(
    new URL("tsconfig.json", folder),
    JSON.stringify({
      compilerOptions: {
        // What is null in an answer is not what a page is about.
        strict: false,
        noEmit: true,
        target: "ES2023",
        lib: ["ES2023", "DOM", "DOM.Iterable"],
        module: "ESNext",
        moduleResolution: "bundler",
        allowImportingTsExtensions: true,
        jsx: "react-jsx",
        types: ["node"],
        skipLibCheck: true,
        baseUrl: fileURLToPath(root),
        paths: {
          "@interlock/client": ["packages/client/src/index.ts"],
          "@interlock/client/*": ["packages/client/src/*.ts"],
        },
      },
      include: ["*.ts", "*.tsx", "../../../tests/docs/*.d.ts"],
    }),
  );
  const tsc = fileURLToPath(new URL("node_modules/typescript/bin/tsc", root));
  const { status, stdout } = spawnSync(process.execPath, [
    tsc,
    "--project",
    fileURLToPath(folder),
  ], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout);
});

test("commands that are not run are there, with their options", () => {
  const scripts =
    JSON.parse(readFileSync(new URL("package.json", root), "utf8")).scripts;
  const wrong = [];
  /** @type {Map<string, string>} */
  const helps = new Map();
  for (const block of blocks.filter((block) => block.lang === "sh")) {
    for (
      const [line, name = "", rest = ""] of block.text.matchAll(
        /\bnpm run (?:-s )?([\w:-]+)([^\n#|]*)/g,
      )
    ) {
      if (line.includes("--workspace")) continue;
      if (!(name in scripts)) {
        wrong.push(`${block.where}: npm has no script ${name}`);
      }
      // What is passed on to another program is its own to know.
      const task = /^node crates\/xtask\/launch\.mjs ([\w-]+)$/.exec(
        scripts[name] ?? "",
      )?.[1];
      if (!task || ["prove", "bench", "fuzz", "stack"].includes(task)) continue;
      if (!helps.has(task)) {
        const { stdout } = spawnSync(process.env.XTASK_PROGRAM ?? "", [
          task,
          "--help",
        ], { encoding: "utf8" });
        helps.set(task, stdout);
      }
      for (const [option] of rest.matchAll(/(?<=\s)--[a-z][a-z-]+/g)) {
        // The launcher's own.
        if (option === "--prebuilt") continue;
        if (!helps.get(task)?.includes(option)) {
          wrong.push(`${block.where}: npm run ${name} has no ${option}`);
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test("what the pages ask of Supabase's own CLI it takes", () => {
  const wrong = [];
  /** @type {Map<string, string>} */
  const helps = new Map();
  for (const page of pages()) {
    const text = readFileSync(new URL(page, root), "utf8");
    // The words of the command, up to its first option, argument or the end of the code.
    for (
      const [, words = "", rest = ""] of text.matchAll(
        /\bnpx supabase ((?:[a-z][a-z-]+(?= |`|$) ?)+)([^\n`#]*)/gm,
      )
    ) {
      const command = words.trim();
      if (!helps.has(command)) {
        const { stdout } = spawnSync(
          fileURLToPath(new URL("node_modules/.bin/supabase", root)),
          [...command.split(" "), "--help"],
          { encoding: "utf8" },
        );
        helps.set(command, stdout);
      }
      const help = helps.get(command) ?? "";
      if (!help.includes(`supabase ${command} [flags]`)) {
        wrong.push(`${page}: no command ${command}`);
      }
      for (const [option] of rest.matchAll(/(?<=^|\s)--?[a-z][a-z-]*/g)) {
        if (!help.includes(option)) {
          wrong.push(`${page}: ${command} has no ${option}`);
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(helps.size > 8, [...helps.keys()].join(", "));
});

for (const file of ["docs/openapi.json", "docs/openapi-rpc.json"]) {
  test(`${file} is sound`, () => {
    const { stdout } = spawnSync(process.execPath, [
      fileURLToPath(new URL("node_modules/@redocly/cli/bin/cli.js", root)),
      "lint",
      file,
      "--config=tests/docs/redocly.yaml",
      "--format=json",
    ], {
      encoding: "utf8",
      cwd: fileURLToPath(root),
      env: { ...process.env, REDOCLY_TELEMETRY: "off" },
    });
    /** @type {{ problems: { ruleId: string, message: string, location: { pointer: string }[] }[] }} */
    const { problems } = JSON.parse(stdout);
    assert.deepEqual(
      problems.map(({ ruleId, message, location }) =>
        `${ruleId}: ${message} at ${location[0]?.pointer}`
      ),
      [],
    );
  });
}

test("docs/openapi-rpc.json has the RPCs of the database, and who may call them", async () => {
  const { paths } = JSON.parse(
    readFileSync(new URL("docs/openapi-rpc.json", root), "utf8"),
  );
  const { rows } = await db.query(`
    select
      p.proname as name,
      coalesce(p.proargnames[1:p.pronargs], '{}') as parameters,
      p.pronargs - p.pronargdefaults as required,
      has_function_privilege('anon', p.oid, 'execute') as anybody,
      has_function_privilege('authenticated', p.oid, 'execute') as signed_in,
      has_function_privilege('service_role', p.oid, 'execute') as service
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace
    order by p.proname`);
  const inDatabase = rows.map((row) => ({
    name: row.name,
    parameters: row.parameters,
    required: row.parameters.slice(0, row.required),
    callers: row.anybody ? 3 : row.signed_in ? 2 : 1,
  }));
  const told = Object.entries(paths).map(([path, { post }]) => {
    const { properties, required = [] } =
      post.requestBody.content["application/json"].schema;
    return {
      name: path.slice("/rpc/".length),
      parameters: Object.keys(properties),
      required,
      callers: post.security.length,
    };
  });
  assert.ok(rows.every(({ service }) => service));
  assert.deepEqual(told, inDatabase);
});

test("the examples count a currency's decimals as the shop does", async () => {
  const { rows } = await db.query(
    `select code, interlock.currency_decimals(code)::int as decimals from unnest($1::text[]) as known (code)`,
    [Intl.supportedValuesOf("currency")],
  );
  assert.ok(rows.length > 100);
  const wrong = rows.filter(({ code, decimals }) => {
    const [, whole = "", part = ""] =
      /([\d,]+)(?:\.(\d+))?$/.exec(money(1_234_567, code)) ?? [];
    return part.length !== decimals ||
      whole.replaceAll(",", "") + part !== "1234567";
  });
  assert.deepEqual(wrong, []);
});

test("a token of somebody who is not there is refused, with the stack and without", () => {
  const without = fileURLToPath(new URL("target/docs/no-stack/", root));
  for (const folder of [process.env.STACK_FOLDER ?? "", without]) {
    const { stdout, stderr, status } = spawnSync(
      process.env.STACK_PROGRAM ?? "",
      ["--dir", folder, "token", "--user", "nobody"],
      { encoding: "utf8", cwd: fileURLToPath(root) },
    );
    assert.equal(status, 1, folder);
    assert.equal(stdout, "");
    assert.match(stderr, /^interlock-stack: there is no such user: "nobody" /);
    assert.match(stderr, / buyer, driver-a, driver-b, staff, /);
    assert.doesNotMatch(stderr, /invalid character/);
  }
});

/** The shop's settings, as they are. */
async function settingsNow() {
  const { rows } = await db.query(
    "select to_jsonb(s) as settings from interlock.settings s",
  );
  return rows[0].settings;
}

/** The reader of the next page has the settings of a new shop, its drivers nothing to deliver, its buyer no order that is not paid, its tills no open shift. */
async function forTheNextReader(
  /** @type {Record<string, unknown>} */ settings,
) {
  const columns = Object.keys(settings).filter((name) =>
    !["singleton", "taxed"].includes(name)
  );
  const list = (/** @type {string} */ table) =>
    columns.map((name) => `${table}"${name}"`).join(", ");
  await db.query(
    `update interlock.settings set (${list("")}) =
       (select ${
      list("r.")
    } from jsonb_populate_record(null::interlock.settings, $1) r)`,
    [settings],
  );
  await db.query(
    "delete from interlock.shipping_methods; delete from interlock.tax_rates",
  );
  await db.query(
    "update interlock.batches set status = 'cancelled' where status in ('claimed', 'in_progress')",
  );
  await db.query(
    "select public.cancel_order(id) from interlock.orders where status in ('pending_payment', 'confirmed')",
  );
  await db.query(
    "select public.close_shift(id, 0) from interlock.shifts where closed_at is null",
  );
}

/** Runs one block of SQL: who is named in it has an account, and a write that finds nothing is a mistake. */
async function sql(/** @type {Block} */ block) {
  for (const [, email] of block.text.matchAll(/'([a-z.-]+@example\.com)'/g)) {
    await db.query(
      `insert into auth.users (id, aud, role, email, raw_app_meta_data, created_at, updated_at)
       select gen_random_uuid(), 'authenticated', 'authenticated', $1::text, '{}', now(), now()
       where not exists (select from auth.users where email = $1)`,
      [email],
    );
  }
  /** @type {pg.QueryResult[]} */
  let results;
  try {
    results = [await db.query(block.text)].flat();
  } catch (error) {
    const { message, detail } = /** @type {pg.DatabaseError} */ (error);
    assert.fail(`${block.where}: ${message}${detail ? ` ${detail}` : ""}`);
  }
  if (block.noRows) {
    const rows = results.flatMap((result) => result.rows);
    assert.deepEqual(rows, [], `${block.where} found something`);
  }
  for (const { command, rowCount } of results) {
    const writes = ["INSERT", "UPDATE", "DELETE"].includes(command);
    assert.ok(
      !writes || block.mayFindNothing || (rowCount ?? 0) > 0,
      `${block.where}: ${command} touches no row`,
    );
  }
}

/** What the query of a symptom finds. */
async function found(/** @type {Block} */ look) {
  const results = [await db.query(look.text)].flat();
  return results.flatMap((result) => result.rows);
}

/** Breaks the shop, looks, mends it, and looks again: in a transaction that is undone. */
async function broken(
  /** @type {string} */ breaks,
  /** @type {Block} */ look,
  /** @type {Block | undefined} */ mend,
) {
  await db.query("begin");
  try {
    assert.deepEqual(
      await found(look),
      [],
      `${look.where}: it is not broken yet`,
    );
    await db.query(breaks);
    // Whoever mends it is not who has broken it.
    await db.query(
      "select set_config('request.jwt.claims', '', true), set_config('request.headers', '', true)",
    );
    assert.notDeepEqual(await found(look), [], `${look.where}: it is not seen`);
    if (!mend) return;
    await sql(mend);
    assert.deepEqual(await found(look), [], `${mend.where}: it is not mended`);
  } finally {
    await db.query("rollback");
  }
}

/** The same where the first of two sessions keeps the second waiting until somebody ends it. */
async function brokenByTwo(
  /** @type {string} */ breaks,
  /** @type {Block} */ look,
  /** @type {Block | undefined} */ mend,
) {
  assert.ok(mend, `${look.where}: what ends it has to follow`);
  const sessions = [0, 1].map(() =>
    new pg.Client({ connectionString: DB_URL })
  );
  const [first, second] = /** @type {[pg.Client, pg.Client]} */ (sessions);
  try {
    await Promise.all(sessions.map((session) => session.connect()));
    first.on("error", () => {});
    assert.deepEqual(
      await found(look),
      [],
      `${look.where}: it is not broken yet`,
    );
    await first.query("begin");
    await first.query(breaks);
    const waits = second.query(breaks);
    while ((await found(look)).length === 0);
    await sql(mend);
    await waits;
    assert.deepEqual(await found(look), [], `${mend.where}: it is not mended`);
  } finally {
    await Promise.allSettled(sessions.map((session) => session.end()));
  }
}

/** Types one block: nothing fails but what its comments say, and what it is said to answer is answered. */
async function sh(/** @type {Shell} */ shell, /** @type {Block} */ block) {
  const text = block.text
    .replaceAll("http://127.0.0.1:54321", API_URL)
    .replaceAll(
      "postgresql://postgres:postgres@127.0.0.1:54322/postgres",
      DB_URL,
    );
  const { printed, told, failed, statuses } = await shell.type(text);
  const everything = `${printed}\n${told}`;
  const comments = block.text.split("\n").flatMap((line) =>
    /(?:^|\s)#\s(.*)$/.exec(line)?.[1] ?? []
  ).join("\n");
  const expected = [...comments.matchAll(/\(([45]\d\d)\)/g)].map(([, status]) =>
    status
  );
  const refused = statuses.filter((status) =>
    Number(status) >= 400 || status === "000"
  );
  assert.deepEqual(failed, [], `${block.where}: ${everything}`);
  assert.deepEqual(
    refused,
    expected,
    `${block.where}: refusals\n${everything}`,
  );
  const plain = everything.replaceAll(/\s/g, "");
  for (
    const [pair] of comments.matchAll(
      /"\w+":\s*("[^"…]*"|\d+|true|false|null)/g,
    )
  ) {
    assert.ok(
      plain.includes(pair.replaceAll(/\s/g, "")),
      `${block.where}: ${pair} is not in\n${everything}`,
    );
  }
}

/** What a reader's shell has: the stack's variables, and tokens as `npm start` prints them. */
function variables() {
  const token = (/** @type {string[]} */ ...more) => {
    const { stdout, stderr, status } = spawnSync(
      process.env.STACK_PROGRAM ?? "",
      ["--dir", process.env.STACK_FOLDER ?? "", "token", ...more],
      { encoding: "utf8", cwd: fileURLToPath(root) },
    );
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  return {
    INTERLOCK_DB_URL: DB_URL,
    PUBLISHABLE_KEY: process.env.ANON_KEY ?? "",
    DRIVER_A: token("--user", "driver-a"),
    DRIVER_B: token("--user", "driver-b"),
    BUYER: token("--user", "buyer"),
  };
}

function isThere(/** @type {URL} */ file) {
  return readdirSync(new URL(".", file)).includes(
    decodeURIComponent(file.pathname.split("/").at(-1) ?? ""),
  );
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(/** @type {string} */ text) {
  const anchors = new Set();
  for (const [, heading = ""] of text.matchAll(/^#{1,6}\s+(.*)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(
      /\s/g,
      "-",
    );
    let unique = anchor;
    for (let n = 1; anchors.has(unique); n += 1) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

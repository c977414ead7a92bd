// A buyer's first day, and proofs of payment as files, by supabase-js alone: policies are asked of the database.
// `npm test -- --only accounts` says where the stack is, and runs it in Node and in Deno.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { before, test } from "node:test";
import { createClient } from "@supabase/supabase-js";

/** @param {string} name */
function env(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run npm test -- --only accounts`);
  }
  return value;
}

const url = env("API_URL");
const bucket = "payment-proofs";
const beans = "9d0d0000-0000-4000-8000-000000000002";

/** @param {string} [key] */
const client = (key = env("ANON_KEY")) =>
  createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    // supabase-js wants one, and Node has it from version 22 on.
    realtime: { transport: globalThis.WebSocket ?? class {} },
  });
const shop = client(env("SERVICE_ROLE_KEY"));

/**
 * @template T
 * @param {{ data: T, error: unknown }} answer
 */
function accepted({ data, error }) {
  assert.equal(error, null);
  return data;
}

/**
 * @param {{ error: unknown }} answer
 * @param {string} statusCode
 * @param {RegExp} message
 */
function refused({ error }, statusCode, message) {
  const { statusCode: told, message: said } =
    /** @type {import("@supabase/supabase-js").StorageError & { statusCode: string }} */ (
      error ?? {}
    );
  assert.equal(told, statusCode, said);
  assert.match(String(said), message);
}

async function somebody() {
  const supabase = client();
  const email = `${randomUUID()}@test.example`;
  const { user } = accepted(
    await supabase.auth.signUp({ email, password: "correct horse" }),
  );
  assert.ok(user);
  return { supabase, files: supabase.storage.from(bucket), id: user.id };
}

/** Somebody with an order that waits for its bank transfer. */
async function buyer() {
  const one = await somebody();
  const { order } = accepted(
    await one.supabase.functions.invoke("checkout", {
      body: {
        cart_items: [{ product_id: beans, quantity: 1 }],
        payment_method: "bank_transfer",
      },
    }),
  );
  assert.equal(order.status, "pending_payment");
  const path = (/** @type {string} */ name) => `${one.id}/${order.id}/${name}`;
  return { ...one, order, path };
}

const staff = client();
before(async () => {
  const email = "staff@example.com";
  accepted(
    await staff.auth.signInWithPassword({ email, password: "interlock" }),
  );
});

const pdf = new Blob(["%PDF-1.7 paid"], { type: "application/pdf" });
/** @param {Blob} blob */
const text = (blob) => blob.text();

test("a buyer signs up, buys, and sees their order and nobody else does", async () => {
  const ann = await buyer();
  const bob = await somebody();
  const read = (/** @type {ReturnType<typeof client>} */ supabase) =>
    supabase.from("orders").select("id, status").eq("id", ann.order.id);
  assert.deepEqual(accepted(await read(ann.supabase)), [
    { id: ann.order.id, status: "pending_payment" },
  ]);
  assert.deepEqual(accepted(await read(bob.supabase)), []);
});

test("a proof is uploaded by its owner, handed in, and read by its owner and staff, and by nobody else", async () => {
  const ann = await buyer();
  const path = ann.path("transfer.pdf");
  const uploaded = accepted(await ann.files.upload(path, pdf));
  assert.equal(uploaded.fullPath, `${bucket}/${path}`);
  const handed = accepted(
    await ann.supabase.rpc("submit_payment_proof", {
      p_order_id: ann.order.id,
      p_object_path: path,
    }),
  );
  assert.equal(handed.success, true);

  const inbox = accepted(await staff.rpc("list_payment_proofs"));
  assert.match(JSON.stringify(inbox), new RegExp(path));
  for (const who of [ann.supabase, staff]) {
    const file = accepted(await who.storage.from(bucket).download(path));
    assert.equal(await text(file), await text(pdf));
    assert.equal(file.type, "application/pdf");
  }
  const bob = await somebody();
  refused(await bob.files.download(path), "404", /Object not found/);
  refused(
    await client().storage.from(bucket).download(path),
    "404",
    /Object not found/,
  );
  const bare = await fetch(`${url}/storage/v1/object/${bucket}/${path}`);
  assert.deepEqual(
    [bare.status, (await bare.json()).code],
    [400, "NoSuchBucket"],
  );
});

test("nobody uploads for another, to an order that is none, or past what an order takes", async () => {
  const ann = await buyer();
  const bob = await somebody();
  const denied = /row-level security/;
  const path = ann.path("a.pdf");
  refused(await bob.files.upload(path, pdf), "403", denied);
  refused(await client().storage.from(bucket).upload(path, pdf), "403", denied);
  const elsewhere = [
    `${ann.id}/${randomUUID()}/a.pdf`,
    `${ann.id}/a.pdf`,
    "a.pdf",
    ann.path("a.exe"),
  ];
  for (const path of elsewhere) {
    refused(await ann.files.upload(path, pdf), "403", denied);
  }
  refused(
    await ann.supabase.storage.from("nothing").upload(path, pdf),
    "404",
    /Bucket not found/,
  );
  // At once, so that the policy alone would let all of them pass.
  const files = await Promise.all(
    Array.from(
      { length: 8 },
      async (_, i) =>
        (await ann.files.upload(ann.path(`${i}.pdf`), pdf)).error === null,
    ),
  );
  assert.equal(files.filter(Boolean).length, 5);
});

test("a bucket says which types and sizes it takes", async () => {
  const ann = await buyer();
  const html = new Blob(["<script>"], { type: "text/html" });
  refused(
    await ann.files.upload(ann.path("a.pdf"), html),
    "415",
    /text\/html is not supported/,
  );
  const large = new Blob([new Uint8Array(10 * 1024 * 1024 + 1)], {
    type: "image/png",
  });
  refused(await ann.files.upload(ann.path("a.png"), large), "413", /exceeded/);
  const whole = new Blob([new Uint8Array(10 * 1024 * 1024)], {
    type: "image/png",
  });
  accepted(await ann.files.upload(ann.path("a.png"), whole));
  const bytes = new TextEncoder().encode("as bytes");
  accepted(
    await ann.files.upload(ann.path("b.png"), bytes, {
      contentType: "image/png",
    }),
  );
  const back = accepted(await ann.files.download(ann.path("b.png")));
  assert.deepEqual([await text(back), back.type], ["as bytes", "image/png"]);
});

test("an address can be signed for a file that one may read, and is good for that file and its time", async () => {
  const ann = await buyer();
  const path = ann.path("proof_one.pdf");
  accepted(await ann.files.upload(path, pdf));
  const { signedUrl } = accepted(await ann.files.createSignedUrl(path, 60));
  const response = await fetch(signedUrl);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/pdf");
  assert.equal(await response.text(), await text(pdf));
  const other = await fetch(signedUrl.replace("proof_one", "proof_two"));
  assert.deepEqual([other.status, (await other.json()).code], [
    400,
    "InvalidSignature",
  ]);
  const broken = await fetch(signedUrl.replace(/.$/, "~"));
  assert.deepEqual([broken.status, (await broken.json()).code], [
    400,
    "InvalidJWT",
  ]);

  const saved = accepted(
    await staff.storage.from(bucket).createSignedUrl(path, 60, {
      download: "proof.pdf",
    }),
  );
  const download = await fetch(saved.signedUrl);
  assert.match(
    download.headers.get("content-disposition") ?? "",
    /^attachment; filename=proof\.pdf/,
  );
  await download.body?.cancel();

  const bob = await somebody();
  refused(await bob.files.createSignedUrl(path, 60), "404", /not found/);
  const many = accepted(
    await ann.files.createSignedUrls([path, ann.path("none.pdf")], 60),
  );
  assert.deepEqual(
    many.map(({ signedUrl, error }) => [Boolean(signedUrl), Boolean(error)]),
    [[true, false], [false, true]],
  );
});

test("a list shows what one may read, folders first as folders, then their files", async () => {
  const ann = await buyer();
  for (const name of ["b.pdf", "a.pdf"]) {
    accepted(await ann.files.upload(ann.path(name), pdf));
  }
  const names = (/** @type {{ name: string }[]} */ files) =>
    files.map(({ name }) => name);
  const [folder] = accepted(await ann.files.list(ann.id));
  assert.deepEqual([folder.name, folder.id], [ann.order.id, null]);
  const within = accepted(await ann.files.list(`${ann.id}/${ann.order.id}`));
  assert.deepEqual(names(within), ["a.pdf", "b.pdf"]);
  assert.equal(within[0].metadata?.size, pdf.size);
  assert.equal(within[0].metadata?.mimetype, "application/pdf");
  const sorted = accepted(
    await ann.files.list(`${ann.id}/${ann.order.id}`, {
      limit: 1,
      sortBy: { column: "name", order: "desc" },
    }),
  );
  assert.deepEqual(names(sorted), ["b.pdf"]);
  const found = accepted(
    await staff.storage.from(bucket).list(`${ann.id}/${ann.order.id}`, {
      search: "a",
    }),
  );
  assert.deepEqual(names(found), ["a.pdf"]);
  const bob = await somebody();
  assert.deepEqual(accepted(await bob.files.list(ann.id)), []);
  assert.equal(accepted(await ann.files.exists(ann.path("a.pdf"))), true);
  const info = accepted(await ann.files.info(ann.path("a.pdf")));
  assert.equal(info.contentType, "application/pdf");
});

test("a proof stays as it is: nobody but the shop writes over it or removes it", async () => {
  const ann = await buyer();
  const path = ann.path("a.pdf");
  accepted(await ann.files.upload(path, pdf));
  const other = new Blob(["forged"], { type: "application/pdf" });
  refused(await ann.files.upload(path, other), "409", /already exists/);
  refused(
    await ann.files.upload(path, other, { upsert: true }),
    "403",
    /row-level security/,
  );
  assert.deepEqual(accepted(await ann.files.remove([path])), []);
  assert.equal(
    await text(accepted(await ann.files.download(path))),
    await text(pdf),
  );

  const files = shop.storage.from(bucket);
  accepted(await files.upload(path, other, { upsert: true }));
  assert.equal(await text(accepted(await ann.files.download(path))), "forged");
  accepted(await files.update(path, pdf));
  assert.equal(
    await text(accepted(await ann.files.download(path))),
    await text(pdf),
  );
  const removed = accepted(await files.remove([path, ann.path("none.pdf")]));
  assert.deepEqual(removed.map(({ name }) => name), [path]);
  refused(await ann.files.download(path), "404", /Object not found/);
});

test("a bucket of the shop's own is made by the shop, and is read by all if it is public", async () => {
  const name = `pictures-${randomUUID()}`;
  const bob = await somebody();
  refused(
    await bob.supabase.storage.createBucket(name, { public: true }),
    "403",
    /row-level security/,
  );
  accepted(await shop.storage.createBucket(name, { public: true }));
  assert.equal(accepted(await shop.storage.getBucket(name)).public, true);
  const pictures = shop.storage.from(name);
  const html = new Blob(["<script>alert(1)</script>"], { type: "text/html" });
  accepted(await pictures.upload("a/b.html", html, { cacheControl: "60" }));
  const { publicUrl } = pictures.getPublicUrl("a/b.html").data;
  const response = await fetch(publicUrl);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain");
  assert.equal(response.headers.get("cache-control"), "max-age=60");
  assert.equal(await response.text(), await text(html));
  const etag = response.headers.get("etag") ?? "";
  const again = await fetch(publicUrl, { headers: { "if-none-match": etag } });
  assert.equal(again.status, 304);
});

test("what is not there says so in one sentence", async () => {
  const files = shop.storage.from(bucket);
  const calls = [
    files.copy("a", "b"),
    files.move("a", "b"),
    files.createSignedUploadUrl("a"),
  ];
  for (const call of calls) {
    refused(await call, "404", /^The local stack's Storage [^.]*\.$/);
  }
});

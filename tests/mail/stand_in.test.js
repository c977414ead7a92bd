// Resend's own client against our stand-in for Resend, so that the stand-in is what the documentation says.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Resend } from "resend";

const api = process.env.RESEND_API_URL;
const client = (key = process.env.RESEND_API_KEY) =>
  new Resend(key, { baseUrl: api });

const mail = (subject = "Hello") => ({
  from: "Shop <orders@shop.example>",
  to: ["ann@test.example"],
  subject,
  html: "<p>Hello</p>",
  text: "Hello",
  tags: [{ name: "kind", value: "order_confirmed" }],
});

async function tell(path, body, method = "POST") {
  const answer = await fetch(`${api}/stand-in${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return await answer.json();
}

after(() => tell("", undefined, "DELETE"));

test("a mail is taken once for each key", async () => {
  const resend = client();
  const idempotencyKey = crypto.randomUUID();
  const first = await resend.emails.send(mail(), { idempotencyKey });
  assert.equal(first.error, null);
  const again = await resend.emails.send(mail(), { idempotencyKey });
  assert.equal(again.data.id, first.data.id);
  const other = await resend.emails.send(mail("Else"), { idempotencyKey });
  assert.equal(other.error.name, "invalid_idempotent_request");
  assert.equal(other.error.statusCode, 409);
  const another = await resend.emails.send(mail());
  assert.notEqual(another.data.id, first.data.id);
  const { data } = await resend.emails.get(first.data.id);
  assert.equal(data.subject, "Hello");
});

test("what Resend refuses is refused", async () => {
  const unknown = await client("re_another").emails.send(mail());
  assert.deepEqual([unknown.error.statusCode, unknown.error.name], [
    401,
    "invalid_api_key",
  ]);
  const without = await fetch(`${api}/emails`, { method: "POST", body: "{}" });
  assert.equal((await without.json()).name, "missing_api_key");
  for (
    const [change, message] of [
      [{ from: "nobody" }, /Invalid `from` field/],
      [{ to: [] }, /Invalid `to` field/],
      [{ to: ["a@b.example", "no"] }, /Invalid `to` field/],
      [{ subject: "" }, /Missing `subject` field/],
      [{ html: undefined, text: undefined }, /Missing `html` or `text` field/],
      [{ tags: [{ name: "a b", value: "c" }] }, /Tags should only contain/],
    ]
  ) {
    const { error } = await client().emails.send({ ...mail(), ...change });
    assert.equal(error.statusCode, 422, JSON.stringify(change));
    assert.match(error.message, message);
  }
});

test("it fails as it is told to", async () => {
  const name = "rate_limit_exceeded";
  await tell("/faults", { times: 1, status: 429, name, retry_after: "7" });
  const { error, headers } = await client().emails.send(mail());
  assert.deepEqual([error.statusCode, error.name], [429, name]);
  assert.equal(headers["retry-after"], "7");
  assert.equal((await client().emails.send(mail())).error, null);
});

test("what was sent is shown, and runs nothing", async () => {
  const html = "<h1>Shown</h1><script>alert(1)</script>";
  const { data } = await client().emails.send({
    ...mail(`A <b>subject</b> ${crypto.randomUUID()}`),
    html,
  });
  const page = await (await fetch(api)).text();
  assert.ok(page.includes("A &lt;b>subject"));
  assert.ok(page.includes(`/mails/${data.id}/html`));
  const shown = await fetch(`${api}/mails/${data.id}/html`);
  assert.equal(await shown.text(), html);
  assert.match(shown.headers.get("content-security-policy"), /sandbox/);
  const text = await fetch(`${api}/mails/${data.id}/text`);
  assert.equal(await text.text(), "Hello");
  assert.match(text.headers.get("content-type"), /^text\/plain/);
});

// Auth as apps use it, by supabase-js alone: sign-up, password, refresh, guests, changes, accounts that the shop makes, sign-out.
// `npm test -- --only accounts` says where the stack is, and runs it in Node and in Deno.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { test } from "node:test";
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
const password = "correct horse";
const address = () => `${randomUUID()}@test.example`;

/**
 * A client with a session of its own.
 * @param {string} [key]
 */
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
 * @param {{ error: import("@supabase/supabase-js").AuthError | null }} answer
 * @param {number} status
 * @param {string} code
 */
function refused({ error }, status, code) {
  assert.ok(error, code);
  assert.deepEqual([error.status, error.code], [status, code], error.message);
  return error;
}

/** @param {string} token */
const claimsOf = (token) =>
  JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());

/**
 * Somebody who has signed up, and whose client is signed in.
 * @param {Record<string, unknown>} [data]
 */
async function somebody(data = {}) {
  const supabase = client();
  const email = address();
  const { user, session } = accepted(
    await supabase.auth.signUp({ email, password, options: { data } }),
  );
  assert.ok(user && session);
  return { supabase, email, user, session };
}

test("who signs up is signed in, and their token says what the platform's says", async () => {
  const { email, user, session } = await somebody({ full_name: "Ann" });
  assert.equal(user.email, email);
  assert.ok(user.email_confirmed_at && user.last_sign_in_at);
  assert.deepEqual(user.user_metadata, {
    full_name: "Ann",
    email_verified: true,
  });
  assert.deepEqual(user.app_metadata, {
    provider: "email",
    providers: ["email"],
  });
  assert.equal(user.identities?.[0].provider, "email");
  assert.equal(user.identities?.[0].identity_data?.email, email);
  assert.deepEqual(
    [session.token_type, session.expires_in],
    ["bearer", 3600],
  );
  const { iat, exp, amr, session_id, ...claims } = claimsOf(
    session.access_token,
  );
  assert.equal(exp - iat, 3600);
  assert.equal(session.expires_at, exp);
  assert.equal(amr[0].method, "password");
  assert.match(session_id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(claims, {
    iss: `${url}/auth/v1`,
    sub: user.id,
    aud: "authenticated",
    role: "authenticated",
    email,
    phone: "",
    app_metadata: user.app_metadata,
    user_metadata: user.user_metadata,
    aal: "aal1",
    is_anonymous: false,
  });
});

test("an address is somebody's once, however it is written", async () => {
  const { email } = await somebody();
  const again = { email: email.toUpperCase(), password };
  refused(await client().auth.signUp(again), 422, "user_already_exists");
  const races = await Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      const same = { email: `race-${email}`, password: `${password} ${i}` };
      return (await client().auth.signUp(same)).error?.code ?? "ok";
    }),
  );
  assert.deepEqual(races.sort(), [
    "ok",
    ...Array(3).fill("user_already_exists"),
  ]);
});

test("a weak password and an address that is none are refused", async () => {
  const weak = refused(
    await client().auth.signUp({ email: address(), password: "short" }),
    422,
    "weak_password",
  );
  assert.deepEqual(
    /** @type {import("@supabase/supabase-js").AuthWeakPasswordError} */ (weak)
      .reasons,
    ["length"],
  );
  const none = { email: "nowhere", password };
  refused(await client().auth.signUp(none), 400, "validation_failed");
});

test("the password opens the account, in small letters or not; a wrong one and a wrong address are told alike", async () => {
  const { email, user } = await somebody();
  const supabase = client();
  const right = { email: email.toUpperCase(), password };
  const signedIn = accepted(await supabase.auth.signInWithPassword(right));
  assert.equal(signedIn.user.id, user.id);
  assert.equal(accepted(await supabase.auth.getUser()).user.id, user.id);
  const wrongs = [
    { email, password: "wrong horse" },
    { email: address(), password },
    { email, password: "" },
  ];
  for (const wrong of wrongs) {
    const error = refused(
      await client().auth.signInWithPassword(wrong),
      400,
      "invalid_credentials",
    );
    assert.equal(error.message, "Invalid login credentials");
  }
});

test("a session is prolonged with its refresh token, by all tabs alike", async () => {
  const { supabase, session } = await somebody();
  const first = session.refresh_token;
  const refresh = async (/** @type {string} */ refresh_token) => {
    const answer = await client().auth.refreshSession({ refresh_token });
    return answer.error ? answer : accepted(answer).session?.refresh_token;
  };
  const second = accepted(await supabase.auth.refreshSession()).session;
  assert.ok(second && second.refresh_token !== first);
  const [before, after] = [session, second].map((s) =>
    claimsOf(s.access_token)
  );
  assert.equal(after.session_id, before.session_id);
  assert.deepEqual(after.amr, before.amr);
  // Its answer was lost, or another tab asks too: the same one again.
  assert.equal(await refresh(first), second.refresh_token);
  const tabs = await Promise.all(
    Array.from({ length: 4 }, () => refresh(second.refresh_token)),
  );
  assert.equal(new Set(tabs).size, 1, "all tabs have the same token");
  refused(
    await client().auth.refreshSession({ refresh_token: "abcdefghijkl" }),
    400,
    "refresh_token_not_found",
  );
});

test("a guest has an account, and keeps it when they give an address", async () => {
  const supabase = client();
  const { user, session } = accepted(await supabase.auth.signInAnonymously());
  assert.ok(user && session);
  assert.equal(user.is_anonymous, true);
  const claims = claimsOf(session.access_token);
  assert.deepEqual([claims.is_anonymous, claims.email], [true, ""]);
  assert.equal(claims.amr[0].method, "anonymous");
  refused(
    await supabase.auth.updateUser({ password }),
    422,
    "validation_failed",
  );
  const email = address();
  const kept = accepted(await supabase.auth.updateUser({ email, password }));
  assert.deepEqual(
    [kept.user.id, kept.user.email, kept.user.is_anonymous],
    [user.id, email, false],
  );
  const again = accepted(
    await client().auth.signInWithPassword({ email, password }),
  );
  assert.equal(again.user.id, user.id);
  const refreshed = accepted(await supabase.auth.refreshSession()).session;
  assert.equal(claimsOf(refreshed?.access_token ?? "").is_anonymous, false);
});

test("one changes one's own name and password, and nothing that the shop says of one", async () => {
  const { supabase, email, user } = await somebody({
    full_name: "Ann",
    shoe: 38,
  });
  const elsewhere = client();
  accepted(await elsewhere.auth.signInWithPassword({ email, password }));
  const changed = accepted(
    await supabase.auth.updateUser({ data: { full_name: "Bob", shoe: null } }),
  );
  assert.deepEqual(changed.user.user_metadata, {
    full_name: "Bob",
    email_verified: true,
  });
  refused(await supabase.auth.updateUser({ password }), 422, "same_password");
  accepted(await supabase.auth.updateUser({ password: "another horse" }));
  const old = { email, password };
  refused(
    await client().auth.signInWithPassword(old),
    400,
    "invalid_credentials",
  );
  // The other sessions have ended, this one has not.
  refused(
    await elsewhere.auth.refreshSession(),
    400,
    "refresh_token_not_found",
  );
  assert.equal(accepted(await supabase.auth.getUser()).user.id, user.id);
  const { data } = await supabase.auth.getSession();
  const response = await fetch(`${url}/auth/v1/user`, {
    method: "PUT",
    headers: {
      apikey: env("ANON_KEY"),
      authorization: `Bearer ${data.session?.access_token}`,
    },
    body: JSON.stringify({ app_metadata: { role: "staff" } }),
  });
  assert.equal(response.status, 403);
  const body = await response.json();
  assert.deepEqual([body.code, body.error_code], [403, "not_admin"]);
});

test("who signs out is out: here, elsewhere, or everywhere", async () => {
  const { supabase, email, session } = await somebody();
  const [second, third] = [client(), client()];
  for (const other of [second, third]) {
    accepted(await other.auth.signInWithPassword({ email, password }));
  }
  const { data } = await second.auth.getSession();
  assert.equal((await second.auth.signOut({ scope: "local" })).error, null);
  const { error } = await client().auth.getUser(data.session?.access_token);
  assert.equal(error?.name, "AuthSessionMissingError");
  assert.equal((await supabase.auth.signOut({ scope: "others" })).error, null);
  refused(await third.auth.refreshSession(), 400, "refresh_token_not_found");
  accepted(await supabase.auth.getUser());
  assert.equal((await supabase.auth.signOut()).error, null);
  refused(
    await client().auth.refreshSession({
      refresh_token: session.refresh_token,
    }),
    400,
    "refresh_token_not_found",
  );
});

test("the shop makes, finds, changes, bans and deletes accounts, and nobody else does", async () => {
  const email = address();
  const made = accepted(
    await shop.auth.admin.createUser({
      email,
      password,
      email_confirm: true,
      app_metadata: { role: "cashier" },
      user_metadata: { full_name: "Till" },
    }),
  ).user;
  assert.deepEqual(made.app_metadata, {
    provider: "email",
    providers: ["email"],
    role: "cashier",
  });
  refused(
    await shop.auth.admin.createUser({ email, password }),
    422,
    "email_exists",
  );
  assert.equal(
    accepted(await shop.auth.admin.getUserById(made.id)).user.email,
    email,
  );
  const { users } = accepted(
    await shop.auth.admin.listUsers({ page: 1, perPage: 1000 }),
  );
  assert.ok(users.some((user) => user.id === made.id));

  const supabase = client();
  const { session } = accepted(
    await supabase.auth.signInWithPassword({ email, password }),
  );
  assert.equal(claimsOf(session.access_token).app_metadata.role, "cashier");
  refused(await supabase.auth.admin.listUsers(), 403, "not_admin");
  refused(await client().auth.admin.deleteUser(made.id), 403, "not_admin");

  const changed = accepted(
    await shop.auth.admin.updateUserById(made.id, {
      app_metadata: { role: "manager" },
    }),
  ).user;
  assert.equal(changed.app_metadata.role, "manager");
  const renewed = accepted(await supabase.auth.refreshSession()).session;
  assert.equal(
    claimsOf(renewed?.access_token ?? "").app_metadata.role,
    "manager",
  );

  accepted(
    await shop.auth.admin.updateUserById(made.id, { ban_duration: "24h" }),
  );
  refused(
    await client().auth.signInWithPassword({ email, password }),
    400,
    "user_banned",
  );
  refused(await supabase.auth.refreshSession(), 400, "user_banned");
  accepted(
    await shop.auth.admin.updateUserById(made.id, { ban_duration: "none" }),
  );
  accepted(await client().auth.signInWithPassword({ email, password }));

  accepted(await shop.auth.admin.deleteUser(made.id));
  refused(await shop.auth.admin.getUserById(made.id), 404, "user_not_found");
  refused(
    await client().auth.signInWithPassword({ email, password }),
    400,
    "invalid_credentials",
  );
  refused(
    await client().auth.getUser(renewed?.access_token),
    403,
    "user_not_found",
  );
});

test("an account that is not confirmed yet is not signed in", async () => {
  const email = address();
  const made = accepted(
    await shop.auth.admin.createUser({ email, password }),
  ).user;
  const signIn = () => client().auth.signInWithPassword({ email, password });
  refused(await signIn(), 400, "email_not_confirmed");
  accepted(
    await shop.auth.admin.updateUserById(made.id, { email_confirm: true }),
  );
  accepted(await signIn());
});

test("what is not there says so in one sentence", async () => {
  const { supabase } = await somebody();
  const calls = [
    supabase.auth.signInWithOtp({ email: address() }),
    supabase.auth.resetPasswordForEmail(address()),
    supabase.auth.updateUser({ email: address() }),
    supabase.auth.mfa.enroll({ factorType: "totp" }),
    shop.auth.admin.generateLink({ type: "magiclink", email: address() }),
  ];
  for (const call of calls) {
    const error = refused(await call, 404, "not_in_local_stack");
    assert.match(error.message, /^The local stack's Auth [^.]*\.$/);
  }
});

test("a body has a bound, and a request a key", async () => {
  const call = (/** @type {RequestInit} */ init) =>
    fetch(`${url}/auth/v1/signup`, { method: "POST", ...init });
  const headers = { apikey: env("ANON_KEY") };
  assert.equal((await call({ body: "{}" })).status, 401);
  const large = JSON.stringify({ email: "x".repeat(1_100_000) });
  assert.equal((await call({ headers, body: large })).status, 413);
  const broken = await call({ headers, body: "{" });
  assert.deepEqual(
    [broken.status, (await broken.json()).error_code],
    [400, "bad_json"],
  );
});

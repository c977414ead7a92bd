// An admission gate in front of hot products, if the shop has one: a lock in Redis, over Upstash's REST protocol, that a
// request takes before it asks the database. Nothing rests on it. Whatever the gate does, says or fails to do, the
// request goes on to the database, which alone decides; it may only have waited for a while.
import { readBody } from "./body.ts";
import type { Gate } from "./serve.ts";
import { deadline, nowMs, sleep } from "./time.ts";

/** What the environment says; null for what is not set. */
export interface GateSettings {
  url: string | null;
  token: string | null;
  /** The ids of the hot products, with commas between them. */
  products: string | null;
}

/** The longest that a request waits, for all of its products. */
const WAIT_MS = 2_000;
/** The longest that a lock is held that nobody gives back. */
const HELD_MS = 3_000;
/** The longest that the gate may take to answer. */
const ANSWER_MS = 100;
/** How long a gate is left alone that did not answer as it should. */
const REST_MS = 2_000;
/** Between two tries: a random time up to this, so that those who wait do not ask together. */
const PAUSE_MS = 20;
/** More than any answer has. */
const MAX_ANSWER_BYTES = 1_024;

/** Whoever has lost the lock in the meantime must not end another one's. */
const RELEASE =
  'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0';

/** The gate of the environment; undefined where there is none, or none that can be used, which the log says. */
export function readGate(): Gate | undefined {
  const read = (name: string) => Deno.env.get(name) || null;
  return gateOf({
    url: read("INTERLOCK_LOCK_URL"),
    token: read("INTERLOCK_LOCK_TOKEN"),
    products: read("INTERLOCK_LOCK_PRODUCTS"),
  });
}

export function gateOf(
  { url, token, products }: GateSettings,
): Gate | undefined {
  if (url === null && token === null) return undefined;
  const ids = (products ?? "").toLowerCase().split(",").map((id) => id.trim())
    .filter((id) => id !== "");
  const problem = url === null || !/^https?:\/\//.test(url)
    ? "INTERLOCK_LOCK_URL is no URL"
    : token === null || !/^[!-~]+$/.test(token)
    ? "INTERLOCK_LOCK_TOKEN is not set or cannot be sent"
    : ids.some((id) => !/^[0-9a-f-]{36}$/.test(id))
    ? "INTERLOCK_LOCK_PRODUCTS has something that is no id"
    : undefined;
  if (problem !== undefined) {
    console.error(JSON.stringify({ level: "error", gate: problem }));
    return undefined;
  }
  return ids.length === 0 ? undefined : gate(url!, token!, ids.sort());
}

function gate(url: string, token: string, ids: string[]): Gate {
  let restsUntilMs = 0;

  /** What the gate answers; undefined if that is no answer of a gate. */
  async function ask(...command: (string | number)[]): Promise<unknown> {
    const controller = new AbortController();
    const met = deadline(ANSWER_MS, () => controller.abort());
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(command),
        redirect: "manual",
        signal: controller.signal,
      });
      const { text } = await readBody(response, MAX_ANSWER_BYTES);
      return response.ok ? JSON.parse(text ?? "").result : undefined;
    } catch {
      return undefined;
    } finally {
      met();
    }
  }

  return async (body) => {
    const wanted = ids.filter((id) => body.toLowerCase().includes(id));
    if (wanted.length === 0 || nowMs() < restsUntilMs) return undefined;
    const own = crypto.randomUUID();
    const taken: string[] = [];
    const endMs = nowMs() + WAIT_MS;
    // In one order, so that no two wait for each other.
    for (const id of wanted) {
      const key = `interlock:${id}`;
      let answer: unknown = null;
      while (answer === null && nowMs() < endMs) {
        answer = await ask("SET", key, own, "NX", "PX", HELD_MS);
        if (answer === null) await sleep(Math.random() * PAUSE_MS);
      }
      if (answer === null) break;
      // Also what was not answered may have been done.
      taken.push(key);
      if (answer !== "OK") {
        restsUntilMs = nowMs() + REST_MS;
        break;
      }
    }
    if (taken.length === 0) return undefined;
    return () => {
      for (const key of taken) later(ask("EVAL", RELEASE, 1, key, own));
    };
  };
}

/** The platform ends an isolate that has answered, unless it knows that something is still under way. */
function later(work: Promise<unknown>) {
  const { EdgeRuntime } = globalThis as {
    EdgeRuntime?: { waitUntil?(work: Promise<unknown>): void };
  };
  EdgeRuntime?.waitUntil?.(work);
}

// Reads at a replica, and never at one that has not yet got what this client has written.
import { READING } from "./calls.ts";
import { InterlockError } from "./error.ts";
import { type Host, type Limits, surroundings, within } from "./retry.ts";
import { callRpc, type Supabase } from "./transport.ts";

/** A copy of the database that follows it and only reads. */
export interface Replica {
  /**
   * A supabase-js client of it, with the same token as the first one. Of one replica by its own address: what spreads reads over
   * several may ask one how far it is, and read from another.
   */
  supabase: Pick<Supabase, "rpc">;
  /**
   * Milliseconds for which a read may wait until the replica has what this client has written. Unless it says otherwise none: the
   * replica is asked once how far it is, and if that is not far enough the primary is read from.
   */
  waitMs?: number;
  /** Milliseconds for the answer of a replica before the primary is asked; 3 000 unless it says otherwise. */
  answerMs?: number;
}

/** Where a server's log is: its end at the primary, what was replayed at a replica. */
interface Place {
  timeline: number;
  position: number;
}

/** What only reads; what is told of the server that is asked is the primary's. */
const READS = new Set(READING.split(" "));
for (const ofTheServer of ["log_position", "metrics"]) {
  READS.delete(ofTheServer);
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** For how long a replica is left alone that has not answered. */
const AWAY_MS = 30_000;

/** Where database functions are called: what only reads at the replica, if that is there and far enough, and all else at the primary. */
export class Reads {
  readonly #primary: Pick<Supabase, "rpc">;
  readonly #replica: Replica;
  readonly #host: Host;
  /** Calls that may have written, and how many of them the replica is known to have. */
  #written = 0;
  #found = 0;
  /** Where the primary's log was after so many of them. */
  #mark: { written: number; place: Place } | undefined;
  #awayUntil = -Infinity;

  constructor(
    primary: Pick<Supabase, "rpc">,
    replica: Replica,
    host: Host = surroundings,
  ) {
    this.#primary = primary;
    this.#replica = replica;
    this.#host = host;
  }

  /** What comes next has to be read where what was written until now is. */
  wrote(): void {
    this.#written += 1;
  }

  /** Calls a function where it can be; `atPrimary` calls it there. */
  async rpc(
    name: string,
    parameters: Record<string, unknown>,
    limits: Limits,
    atPrimary: (limits: Limits) => Promise<unknown>,
  ): Promise<unknown> {
    if (!READS.has(name)) {
      try {
        return await atPrimary(limits);
      } finally {
        // One that got no answer may have written as well.
        this.wrote();
      }
    }
    const begun = this.#host.now();
    const there = await this.#ask(name, parameters, limits);
    if (there) return there.answer;
    const taken = this.#host.now() - begun;
    return atPrimary({ ...limits, budgetMs: limits.budgetMs - taken });
  }

  /** The replica's answer, unless it has to be the primary's. Whatever the replica refuses, the primary may know better. */
  async #ask(
    name: string,
    parameters: Record<string, unknown>,
    { budgetMs, signal: outer }: Limits,
  ): Promise<{ answer: unknown } | undefined> {
    if (this.#host.now() < this.#awayUntil) return undefined;
    const { supabase, waitMs = 0, answerMs = 3_000 } = this.#replica;
    try {
      // The primary, too, needs its time.
      const most = Math.min(waitMs + answerMs, budgetMs / 2);
      return await within(most, async (signal) => {
        if (!await this.#hasAll(waitMs, signal)) return undefined;
        return { answer: await callRpc(supabase, name, parameters, signal) };
      }, outer);
    } catch (error) {
      if (outer?.aborted) throw error;
      if (!isRefusal(error)) this.#awayUntil = this.#host.now() + AWAY_MS;
      return undefined;
    }
  }

  /** Whether the replica has all that was written until now, within so many milliseconds. */
  async #hasAll(waitMs: number, signal: AbortSignal): Promise<boolean> {
    const host = this.#host;
    const written = this.#written;
    if (this.#found >= written) return true;
    const end = host.now() + waitMs;
    for (let repeats = 0, strangers = 0;; repeats += 1) {
      const mark = await this.#markAfter(written, signal);
      const { timeline, position } = await placeOf(
        this.#replica.supabase,
        signal,
      );
      if (timeline !== mark.place.timeline) {
        // One of them has become another server since: a position that is not of its history would never come.
        if (strangers > 0) throw new Error("It follows another server.");
        strangers += 1;
        this.#mark = undefined;
        continue;
      }
      if (position >= mark.place.position) {
        this.#found = Math.max(this.#found, mark.written);
        return true;
      }
      const pause = host.random() *
        Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** repeats);
      if (host.now() + pause >= end) return false;
      await host.sleep(pause, signal);
    }
  }

  /** Where the primary's log was after so many calls: it is asked when a read comes after them, once, and not by each call. */
  async #markAfter(written: number, signal: AbortSignal) {
    if (this.#mark && this.#mark.written >= written) return this.#mark;
    const now = this.#written;
    const mark = { written: now, place: await placeOf(this.#primary, signal) };
    if (!this.#mark || this.#mark.written <= now) this.#mark = mark;
    return mark;
  }
}

async function placeOf(
  supabase: Pick<Supabase, "rpc">,
  signal: AbortSignal,
): Promise<Place> {
  return await callRpc(supabase, "log_position", {}, signal) as Place;
}

/** The function itself has said no: it is there. */
function isRefusal(error: unknown): boolean {
  return error instanceof InterlockError && error.status >= 400 &&
    error.status < 500 && error.code !== "UNEXPECTED_ANSWER";
}

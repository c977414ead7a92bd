// The contract between the shim and a function's WASM core (crates/edge). Every value that crosses
// is plain data; whatever is thrown across it means that the instance is broken.

export type Pairs = [name: string, value: string][];

/** What the core needs of the isolate's environment; `null` for what is not set. */
export interface Settings {
  url: string | null;
  key: string | null;
  timeout: string | null;
}

/** The request template and the limits of a function, once per isolate. */
export interface Profile {
  url: string;
  method: string;
  headers: Record<string, string>;
  /** Milliseconds for all upstream calls of one request. */
  timeout: number;
  /** Bytes. */
  maxBody: number;
  /** Bytes. */
  maxAnswer: number;
}

/** What a pure core cannot make itself. */
export interface Host {
  now: number;
  random: number;
  id: string;
  timeout: number;
}

export type BodyFault = "too_large" | "not_utf8" | "aborted";

export interface CoreRequest {
  method: string;
  authorization: string | null;
  contentType: string | null;
  requestId: string | null;
  idempotencyKey: string | null;
  body: string | null;
  bodyFault: BodyFault | null;
  host: Host;
}

/** A call to PostgREST. Opaque but for these fields: it goes back into `resume` as it came. */
export interface Call {
  body: string;
  authorization: string;
  delay: number;
  timeout: number;
}

export type Outcome =
  | { kind: "answered"; status: number; body: string; replayed: boolean }
  | { kind: "unsent" | "broken" | "timedOut" | "unreadable" };

export interface Reply {
  status: number;
  headers: Pairs;
  body: string | null;
  log: string | null;
}

export type Step = { reply: Reply; call?: undefined } | {
  call: Call;
  reply?: undefined;
};

/** What the generated `core.js` of a function exports. */
export interface Core {
  profile(
    settings: Settings,
  ): { profile: Profile | null; error: string | null };
  begin(request: CoreRequest): Step;
  resume(call: Call, outcome: Outcome, host: Host): Step;
  crashed(requestId: string | null | undefined, freshId: string): Step;
  /** Replaces the WASM instance by a new one. */
  __wbg_reset_state(): void;
}

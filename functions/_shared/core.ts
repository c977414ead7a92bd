// The contract between the shim and a function's WASM core (crates/edge). What crosses for each request
// are arguments and flat lists: looking into an object is dear there. Whatever is thrown across it means
// that the instance is broken.

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

export type BodyFault = "too_large" | "not_utf8" | "aborted";

/** A call to PostgREST; all but its times goes back into `resume`. */
export type Call = [
  isCall: true,
  body: string,
  delay: number,
  timeout: number,
  repeats: number,
  repeatable: boolean,
  count: number,
];

/** `headers` is a JSON object, and `answerHeaders` come on top if there is a body. */
export type Reply = [
  isCall: false,
  status: number,
  headers: string,
  body: string | undefined,
  log: string | undefined,
];

export type Step = Call | Reply;

/** What came of a call: an answer with its status and text, or none. */
export interface Outcome {
  kind: "answered" | "unsent" | "broken" | "timedOut" | "unreadable";
  status?: number;
  text?: string;
  replayed?: boolean;
}

/** What the generated `core.js` of a function exports. */
export interface Core {
  profile(
    url: string | null,
    key: string | null,
    timeout: string | null,
  ): {
    profile: Profile | null;
    error: string | null;
    answerHeaders: Record<string, string>;
  };
  begin(
    method: string,
    authorization: string | null,
    contentType: string | null,
    idempotencyKey: string | null,
    body: string | undefined,
    bodyFault: BodyFault | undefined,
    requestId: string | null,
    id: string,
    timeout: number,
    now: number,
  ): Step;
  resume(
    body: string,
    repeats: number,
    repeatable: boolean,
    count: number,
    outcome: Outcome["kind"],
    status: number,
    answer: string | undefined,
    replayed: boolean,
    requestId: string | null,
    id: string,
    timeout: number,
    started: number,
    now: number,
    random: number,
  ): Step;
  crashed(requestId: string | null, id: string): Reply;
  /** Replaces the WASM instance by a new one. */
  __wbg_reset_state(): void;
}

/** The request template and the limits of a function, once per isolate. */
export interface Profile {
  url: string;
  method: string;
  headers: Record<string, string>;
  /** Has the signature of a signed text; null where a user calls, with whose `authorization` the calls are made. */
  signatureHeader: string | null;
  /** For all upstream calls of one request. */
  timeoutMs: number;
  maxBodyBytes: number;
  maxAnswerBytes: number;
}

/** What there is once per isolate. */
export interface Start {
  /** Null if the settings cannot be used. */
  profile: Profile | null;
  /** A line for the log: why there is no profile. */
  log: string | null;
  /** What every answer with a body has. */
  answerHeaders: Record<string, string>;
}

/** Why there is no body. */
export type BodyFault = "too_large" | "not_utf8" | "aborted";

/** Why there is no answer. */
export type NoAnswer = "unsent" | "broken" | "timed_out" | "unreadable";

/** What goes back with the outcome of a call; only the core reads it. */
export type State = string & { readonly opaque: "state" };

/** A call to PostgREST; without a body it is the one that was sent before. */
export type Call = [
  isCall: true,
  state: State,
  body: string | undefined,
  delayMs: number,
  timeoutMs: number,
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

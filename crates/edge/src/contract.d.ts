/** What the environment says; null for what is not set. */
export interface Settings {
  url: string | null;
  key: string | null;
  timeoutMs: string | null;
  /** Only of a function that asks a third party. */
  thirdPartyUrl?: string | null;
  thirdPartyKey?: string | null;
  /** Only of a function that has outlets: the URL and the key of each, and the header that this goes in, by name. */
  outlets?: Record<
    string,
    { url: string | null; key: string | null; header: string | null }
  >;
}

/** Where an API is, and what each call of it has. */
export interface Api {
  url: string;
  headers: Record<string, string>;
}

/** The request template and the limits of a function, once per isolate. */
export interface Profile {
  url: string;
  method: string;
  headers: Record<string, string>;
  /** Has the signature of a signed text, or several that do, with blanks between, as their values then have; null where a user calls, with whose `authorization` the calls are made. */
  signatureHeader: string | null;
  /** Whether the head of a request has `if-match`. */
  conditional?: true;
  /** Whether the method of a PUT has its path behind it, with a blank between. */
  routed?: true;
  /** For all upstream calls of one request. */
  timeoutMs: number;
  maxBodyBytes: number;
  maxAnswerBytes: number;
  /** Where the third party's API is, without a slash at its end, and what each call of it has. */
  thirdParty?: Api;
  /** The same of outlets, by name: those whose keys are set. */
  outlets?: Record<string, Api>;
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
export type NoAnswer = "unset" | "unsent" | "broken" | "timed_out" | "unreadable";

/** What goes back with the outcome of a call; only the core reads it. */
export type State = string & { readonly opaque: "state" };

/**
 * Where a call goes that is not to the function's own RPC: to the RPC `path`, to that place of the third party, or to
 * anybody whose URL it is; if it has an `outlet` to that place of it, with its key, or not at all. To `names`, it asks for the
 * addresses of the name `path`; the answer has them with blanks between.
 */
export interface Place {
  to: "rpc" | "third_party" | "anybody" | "names";
  method: string;
  path: string;
  headers: Record<string, string>;
  outlet?: string;
  each?: undefined;
}

/** A call of several that are made at once. */
export interface Branch {
  state: State;
  body: string;
  timeoutMs: number;
  target: Place;
}

/** Several calls at once, each up to its reply; the answer is `{"replies": […]}` with the bodies of these. */
export type Target = Place | { each: Branch[] };

/** A call; without a body it is the one that was made before. `target` is a JSON `Target`. */
export type Call = [
  isCall: true,
  state: State,
  body: string | undefined,
  delayMs: number,
  timeoutMs: number,
  target?: string,
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

// @ts-nocheck: its globals are those of a phone, which no library describes.
// What React Native adds to a bare engine (react-native/Libraries/Core, setUpXHR.js and setUpNavigator.js): its fetch and
// AbortController are these two packages. There is no `crypto` and no DOMException. Requests are answered by the test.
import {
  AbortController,
  AbortSignal,
} from "abort-controller/dist/abort-controller";

const host = globalThis;
host.self = host;
host.window = host;
host.navigator = { product: "ReactNative" };
host.performance ??= { now: Date.now };
host.AbortController = AbortController;
host.AbortSignal = AbortSignal;
// Nothing here is realtime, but supabase-js wants one.
host.WebSocket = class {};

/** What was asked for, in order. */
export const seen = [];

/** Answers a request: `{ status, body }`, or nothing for a network that is gone, or a promise for one that is slow. */
export const server = { answer: () => undefined };

host.XMLHttpRequest = class {
  readyState = 0;
  status = 0;
  statusText = "";
  responseText = "";
  responseURL = "";
  #headers = {};
  #aborted = false;
  open(method, url) {
    this.method = method;
    this.url = url;
  }
  setRequestHeader(name, value) {
    this.#headers[name.toLowerCase()] = value;
  }
  getAllResponseHeaders() {
    return "content-type: application/json\r\n";
  }
  async send(body) {
    const path = this.url.replace("https://shop.test", "");
    const request = { path, headers: this.#headers, body: JSON.parse(body) };
    seen.push(request);
    const answer = await server.answer(request);
    if (this.#aborted) return;
    if (!answer) return void this.onerror();
    this.status = answer.status;
    this.responseText = this.response = JSON.stringify(answer.body);
    this.readyState = 4;
    this.onload();
  }
  abort() {
    this.#aborted = true;
    this.onabort();
  }
};

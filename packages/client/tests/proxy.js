// A bad network: a proxy before the stack that loses, holds or replaces answers as a test tells it.
import { createServer } from "node:http";
import { connect } from "node:net";

/**
 * @typedef {{ method: string, path: string, key: string | null, headers: import("node:http").IncomingHttpHeaders }} Seen
 * @typedef {{ status: number, headers: Record<string, string>, body: string }} Answer
 * @typedef {"lose" | Promise<void> | Answer | { later: Promise<Answer> } | undefined} Fault
 * What becomes of a call: its answer is lost, is held until a promise resolves, or another one is given
 * without asking the stack, at once or later.
 */

/**
 * Starts a proxy before `target`.
 * @param {string} target
 */
export async function badNetwork(target) {
  const network = {
    url: "",
    /** Every request that came. @type {Seen[]} */
    seen: [],
    /** Decides on each call that is no preflight. @type {(seen: Seen) => Fault} */
    fault: () => undefined,
    /** The calls, preflights left out. */
    get calls() {
      return network.seen.filter(({ method }) => method !== "OPTIONS");
    },
    /** Forgets what it has seen and behaves. */
    mend() {
      network.seen = [];
      network.fault = () => undefined;
    },
    /** Ends the websockets that are open. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      network.cut();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "GET", url: path = "/", headers } = request;
    const key = headers["idempotency-key"];
    const seen = { method, path, headers, key: key ? String(key) : null };
    const fault = method === "OPTIONS" ? undefined : network.fault(seen);
    network.seen.push(seen);
    const given = typeof fault === "object" && "later" in fault
      ? await fault.later
      : fault;
    if (given && typeof given === "object" && "status" in given) {
      response.writeHead(given.status, given.headers).end(given.body);
      return;
    }
    const passed = Object.entries(headers).filter(([name]) =>
      !["host", "connection", "content-length"].includes(name)
    );
    const answer = await fetch(target + path, {
      method,
      headers: Object.fromEntries(
        passed.map(([name, value]) => [name, String(value)]),
      ),
      ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    if (fault === "lose") {
      request.socket.destroy();
      return;
    }
    await fault;
    const back = [...answer.headers].filter(([name]) =>
      ![
        "connection",
        "content-encoding", // fetch has decoded it
        "content-length",
        "transfer-encoding",
      ].includes(name)
    );
    response.writeHead(answer.status, Object.fromEntries(back)).end(body);
  });
  // A websocket comes through as it is, until it is closed.
  /** @type {Set<import("node:stream").Duplex>} */
  const sockets = new Set();
  server.on("upgrade", (request, near, head) => {
    const { hostname, port } = new URL(target);
    const far = connect(Number(port), hostname);
    const { method, url, rawHeaders } = request;
    const lines = [`${method} ${url} HTTP/1.1`];
    for (let at = 0; at < rawHeaders.length; at += 2) {
      lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
    }
    far.write(`${lines.join("\r\n")}\r\n\r\n`);
    far.write(head);
    near.pipe(far).pipe(near);
    for (
      const [one, other] of /** @type {const} */ ([[near, far], [far, near]])
    ) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(undefined))
  );
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("no port");
  }
  network.url = `http://127.0.0.1:${address.port}`;
  return network;
}

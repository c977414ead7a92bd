// Serves the examples, and what they import, to a browser on this machine.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import process from "node:process";
import { fileURLToPath } from "node:url";

const here = new URL("./", import.meta.url);
const client = new URL("../packages/client/dist/", here);
const supabase = new URL(
  "../node_modules/@supabase/supabase-js/dist/umd/supabase.js",
  here,
);
const TYPES = {
  html: "text/html; charset=utf-8",
  css: "text/css",
  js: "text/javascript",
};

/** Stripe itself: with a key of its own there is no stand-in. */
const STRIPE = "https://api.stripe.com";

/**
 * Starts it; answers the server and its address.
 * @param {{
 *   url: string,
 *   key: string,
 *   port?: number,
 *   stripe?: { url: string, key: string },
 * }} options
 */
export async function serve(
  { url, key, port = 8080, stripe = { url: STRIPE, key: "" } },
) {
  const server = createServer(async (request, response) => {
    let path = new URL(request.url ?? "/", "http://x").pathname;
    if (path.endsWith("/")) path += "index.html";
    try {
      if (path === "/stripe.js" && stripe.url === STRIPE) {
        response.writeHead(302, { location: "https://js.stripe.com/v3/" })
          .end();
        return;
      }
      if (path.startsWith("/stripe/") && stripe.url !== STRIPE) {
        const answer = await standIn(path.slice("/stripe".length), request);
        response.writeHead(answer.status, {
          "content-type": "application/json",
        }).end(await answer.text());
        return;
      }
      const body = await contentOf(path);
      const ending = path.split(".").at(-1) ?? "";
      response.writeHead(200, { "content-type": TYPES[ending] ?? "text/plain" })
        .end(body);
    } catch {
      response.writeHead(404).end();
    }
  });

  /**
   * A page may call Stripe from anywhere, and the stack's stand-in for it from here.
   * @param {string} path
   * @param {import("node:http").IncomingMessage} request
   */
  async function standIn(path, request) {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const form = new URLSearchParams(body);
    const authorization = `Bearer ${form.get("key")}`;
    form.delete("key");
    return fetch(stripe.url + path, {
      method: "POST",
      headers: { authorization },
      body: form,
    });
  }

  /** @param {string} path */
  function contentOf(path) {
    if (path === "/config.js") {
      return Object.entries({ url, key, stripeKey: stripe.key }).map((
        [name, value],
      ) => `export const ${name} = ${JSON.stringify(value)};\n`).join("");
    }
    if (path === "/stripe.js") {
      return readFile(new URL("stripe-stand-in.js", here));
    }
    // supabase-js as one file is a script that makes `supabase`: this makes a module of it.
    if (path === "/supabase.js") {
      return readFile(supabase, "utf8").then((text) =>
        `${text}\nexport const { createClient } = supabase;\n`
      );
    }
    const file = path.startsWith("/client/")
      ? new URL(path.slice("/client/".length), client)
      : new URL(path.slice(1), here);
    if (![here, client].some(({ href }) => file.href.startsWith(href))) {
      throw new Error("not below these folders");
    }
    return readFile(file);
  }

  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server
    .address());
  return { server, address: `http://127.0.0.1:${address.port}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { API_URL, ANON_KEY, STRIPE_API_URL, STRIPE_PUBLISHABLE_KEY } =
    process.env;
  if (!API_URL || !ANON_KEY) {
    console.error(
      "Which stack? Start this as examples/README.md says, with `npm start` in another terminal.",
    );
    process.exit(1);
  }
  const { address } = await serve({
    url: API_URL,
    key: ANON_KEY,
    stripe: STRIPE_API_URL && STRIPE_PUBLISHABLE_KEY
      ? { url: STRIPE_API_URL, key: STRIPE_PUBLISHABLE_KEY }
      : undefined,
  });
  console.log(
    `${address}/shop/  ${address}/driver/  ${address}/till/  ${address}/packing/`,
  );
}

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

/**
 * Starts it; answers the server and its address.
 * @param {{ url: string, key: string, port?: number }} options
 */
export async function serve({ url, key, port = 8080 }) {
  const server = createServer(async (request, response) => {
    let path = new URL(request.url ?? "/", "http://x").pathname;
    if (path.endsWith("/")) path += "index.html";
    try {
      const body = await contentOf(path);
      const ending = path.split(".").at(-1) ?? "";
      response.writeHead(200, { "content-type": TYPES[ending] ?? "text/plain" })
        .end(body);
    } catch {
      response.writeHead(404).end();
    }
  });

  /** @param {string} path */
  function contentOf(path) {
    if (path === "/config.js") {
      return `export const url = ${JSON.stringify(url)};\nexport const key = ${
        JSON.stringify(key)
      };\n`;
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
  const { API_URL, ANON_KEY } = process.env;
  if (!API_URL || !ANON_KEY) {
    console.error(
      'Which stack? Run eval "$(npm run -s stack -- status -o env)" first.',
    );
    process.exit(1);
  }
  const { address } = await serve({ url: API_URL, key: ANON_KEY });
  console.log(
    `${address}/shop/  ${address}/driver/  ${address}/till/  ${address}/packing/`,
  );
}

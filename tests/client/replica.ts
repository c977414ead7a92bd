// The typed client beside a replica, led by tests/prove/scale/reader.rs: a line on stdin says what to do, and a line on stdout what came
// of it and which server has answered.
import { createClient } from "@supabase/supabase-js";
import { Interlock } from "../../packages/client/src/index.ts";

const env = (name: string): string => {
  const value = Deno.env.get(name);
  if (!value) {
    throw new Error(`${name} is not set: tests/prove/scale/reader.rs sets it`);
  }
  return value;
};

const url = env("API_URL");
const product = env("PRODUCT");
const reading = "/rpc/get_stock";
let readAt = "";
/** A client of the server whose API for the database is there. */
const client = (server: string, rest: string) =>
  createClient(url, env("ANON_KEY"), {
    accessToken: () => Promise.resolve(env("TOKEN")),
    global: {
      fetch: async (input, init) => {
        const asked = String(input).replace(`${url}/rest/v1`, rest);
        const response = await fetch(asked, init);
        if (asked.endsWith(reading) && response.ok) readAt = server;
        return response;
      },
    },
  });

const primary = client("primary", `${url}/rest/v1`);
const replica = client("replica", env("REPLICA_REST_URL"));
const reader = (waitMs: number) =>
  new Interlock(primary, { replica: { supabase: replica, waitMs } });
const shops = { read: reader(0), wait: reader(20_000) };
const naive = new Interlock(replica);

/** How much there is, and who says so. */
async function stock(of: Interlock) {
  const [row] = await of.getStock([product]) as unknown as [
    { available_quantity: number },
  ];
  return { available: row.available_quantity, at: readAt };
}

const cart = {
  cart_items: [{ product_id: product, quantity: 1 }],
  payment_method: "bank_transfer" as const,
};
let order = "";
const deeds: Record<string, () => Promise<unknown>> = {
  /** By an edge function. The other client of this app is told of it. */
  async buy() {
    order = (await shops.read.checkout(cart)).id;
    shops.wait.wrote();
    return { order };
  },
  /** By a database function. */
  async cancel() {
    await shops.read.cancelOrder(order);
    return { order };
  },
  read: () => stock(shops.read),
  wait: () => stock(shops.wait),
  naive: () => stock(naive),
};

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const deed of lines) {
  console.log(JSON.stringify(await deeds[deed.trim()]()));
}

// The rows that tests/client/mod.rs has made, and clients for them.
import { createClient } from "@supabase/supabase-js";
import process from "node:process";

const text = process.env.FIXTURE;
if (!text) {
  throw new Error(
    "FIXTURE is not set: run `cargo xtask test --only client`, which prepares the rows",
  );
}

/**
 * @typedef {{ id: string, token: string }} User
 * @type {{
 *   apiUrl: string, anonKey: string, serviceKey: string, jwtSecret: string, users: User[], drivers: User[], listeners: User[], listeningDrivers: User[], product: string,
 *   second: string, scarce: string, promo: string, staff: User, stock: string[],
 *   way: [string, string], cashiers: [User, User],
 *   tills: { register: string, shift: string, inventory: string }[], packers: [User, User],
 *   packings: { session: string, orders: string[], product: string, lines: string[] }[],
 * }}
 */
export const fixture = JSON.parse(text);

/** A user whom no other test has. */
export function nextUser() {
  const user = fixture.users.pop();
  if (!user) throw new Error("tests/client/mod.rs has made too few users");
  return user;
}

/**
 * A supabase-js client of that user.
 * @param {User} user
 */
export function clientOf(user, url = fixture.apiUrl) {
  return createClient(url, fixture.anonKey, {
    accessToken: () => Promise.resolve(user.token),
    // supabase-js wants one, and Node has it from version 22 on.
    realtime: { transport: globalThis.WebSocket ?? class {} },
  });
}

/** A supabase-js client of the shop's own server. */
export function clientOfTheShop() {
  return createClient(fixture.apiUrl, fixture.serviceKey, {
    realtime: { transport: globalThis.WebSocket ?? class {} },
  });
}

/**
 * How many orders the user has, by the stack's own account.
 * @param {User} user
 */
export async function ordersOf(user) {
  const { data, error } = await clientOf(user).from("orders").select("id");
  if (error) throw error;
  return data.length;
}

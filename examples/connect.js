// The one supabase-js client of a page. In an app of yours: createClient(url, key), and supabase.auth signs people in.
import { createClient } from "@supabase/supabase-js";
import { key, url } from "/config.js";

export { money } from "./money.js";

if (location.hash) {
  sessionStorage.setItem("token", location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
}
const token = sessionStorage.getItem("token") ?? key;

export const supabase = createClient(url, key, {
  accessToken: () => Promise.resolve(token),
});

/** Says something to the person before the screen. */
export function say(text) {
  document.querySelector("[role=status]").textContent = text;
}

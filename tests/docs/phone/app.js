// An app around the example's screen, as Metro bundles it for a phone; what belongs to the phone stands for itself beside this file.
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "@supabase/supabase-js";
import { Interlock } from "@interlock/client";
import { Round } from "../../../examples/driver/native.jsx";

const { url, key, token } = JSON.parse(
  decodeURIComponent(location.hash.slice(1)),
);
const supabase = createClient(url, key, {
  accessToken: () => Promise.resolve(token),
});
// Soon without an answer, for a test.
const shop = new Interlock(supabase, { budgetMs: 2_000 });
createRoot(document.querySelector("main"))
  .render(createElement(Round, { supabase, shop }));

// A driver's rounds: claim one, keep its lease, deliver it. Without a network what is pressed goes out when there is one again.
import { Interlock, InterlockError, submission } from "@interlock/client";
import { followBatches } from "@interlock/client/live";
import { say, supabase } from "../connect.js";

const shop = new Interlock(supabase);
// One thing at a time, under a key that outlives a reload.
const round = submission("round");
const HOUR = 3_600_000;
const RENEW_MS = 300_000;

const free = document.querySelector("#free");
const mine = document.querySelector("#mine");
let held = null;

addEventListener(
  "offline",
  () => say("No network. What you press goes out when it is back."),
);
addEventListener("online", () => say("The network is back."));

// What was pressed before the page was reloaded, and never answered.
const unfinished = (await round.pending())?.["claim-route"];
if (unfinished) await act(unfinished.action, unfinished.batch_id);
await readMine();

followBatches(supabase, (batches) => {
  const rows = batches.map((batch) => {
    const row = document.createElement("li");
    row.append(label(batch.reference ?? batch.id));
    row.append(button("Claim", () => act("claim", batch.id)));
    return row;
  });
  free.querySelector("ul").replaceChildren(...rows);
});
document.querySelector("#next").onclick = () => act("claim");
for (const one of mine.querySelectorAll("button")) {
  one.onclick = () => act(one.dataset.action, held.id);
}
setInterval(() => {
  if (held && navigator.onLine) act("renew", held.id);
}, RENEW_MS);

async function act(action, batchId) {
  if (!navigator.onLine) say("No network. This goes out when it is back.");
  const call = action === "claim" ? "claimRoute" : action;
  try {
    const batch = await shop[call](batchId, {
      submission: round,
      budgetMs: HOUR,
    });
    held = ["claimed", "in_progress"].includes(batch.status) ? batch : null;
    say("");
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    const busy = error.code === "SUBMISSION_BUSY";
    say(
      busy ? "The last thing you pressed is still under way." : error.message,
    );
    // Refused: nothing has happened, so the next press is a new one.
    if (!busy && !error.retryable) await round.forget();
    if (error.is("LEASE_EXPIRED") || error.is("BATCH_NOT_HELD")) {
      await readMine();
    }
  }
  show();
}

async function readMine() {
  const { data, error } = await supabase.from("batches").select()
    .in("status", ["claimed", "in_progress"]).limit(1);
  if (error) throw error;
  held = data[0] ?? null;
  show();
}

function show() {
  mine.hidden = !held;
  free.hidden = Boolean(held);
  if (!held) return;
  mine.querySelector("h2").textContent = held.reference ?? held.id;
  mine.querySelector("time").textContent = new Date(held.lease_expires_at)
    .toLocaleTimeString();
  mine.querySelector("[data-action=start]").hidden = held.status !== "claimed";
}

function label(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

function button(text, press) {
  const made = document.createElement("button");
  made.textContent = text;
  made.onclick = press;
  return made;
}

// A packing table that many hands share: scan what goes into a box; a full box leaves.
import { InterlockError } from "@interlock/client";
import { packing } from "@interlock/client/packing";
import { say, supabase } from "../connect.js";

const session = new URLSearchParams(location.search).get("session") ??
  await latestSession();
const table = packing(supabase, session);
// The order whose box is before this worker.
let chosen = null;

table.subscribe(show);

document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  const barcode = event.target.barcode.value.trim();
  event.target.reset();
  attempt(() => table.pack({ orderId: chosen, barcode }));
};

function show({ lines, items }) {
  const names = new Map(items.map(({ productId, name }) => [productId, name]));
  const orders = [...new Set(lines.map(({ orderId }) => orderId))];
  chosen = orders.includes(chosen) ? chosen : orders[0] ?? null;
  const boxes = orders.map((orderId) => {
    const box = document.createElement("fieldset");
    box.dataset.order = orderId;
    const legend = document.createElement("legend");
    legend.append(pick(orderId), ` Order ${orderId.slice(-6)}`);
    box.append(legend);
    const ours = lines.filter((line) => line.orderId === orderId);
    for (const { productId, packed, needed, short } of ours) {
      const row = document.createElement("li");
      const text = document.createElement("span");
      text.textContent = `${names.get(productId) ?? productId}: ${packed} of ${
        needed - short
      }`;
      row.append(text);
      row.append(button("+", () => table.pack({ orderId, productId })));
      row.append(button("−", () => table.unpack({ orderId, productId })));
      row.append(
        button("None left", () => table.short({ orderId, productId })),
      );
      box.append(row);
    }
    const done = button("Send it", () => table.complete({ orderId }));
    done.disabled = ours.some(({ packed, needed, short }) =>
      packed < needed - short
    );
    box.append(done);
    return box;
  });
  document.querySelector("#orders").replaceChildren(...boxes);
}

function pick(orderId) {
  const radio = document.createElement("input");
  radio.type = "radio";
  radio.name = "order";
  radio.checked = orderId === chosen;
  radio.onchange = () => (chosen = orderId);
  return radio;
}

function button(text, work) {
  const made = document.createElement("button");
  made.textContent = text;
  made.onclick = () => attempt(work);
  return made;
}

async function attempt(work) {
  try {
    await work();
    say("");
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    say(error.message);
  }
}

async function latestSession() {
  const { data, error } = await supabase.from("picking_sessions").select("id")
    .in("status", ["picking", "packing"]).order("created_at", {
      ascending: false,
    }).limit(1);
  if (error) throw error;
  if (data.length === 0) say("There is nothing to be packed.");
  return data[0]?.id;
}

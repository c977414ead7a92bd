// A till: scan, take cash, go on. Without a network it sells all the same, and sends its sales when there is one again.
import { InterlockError } from "@interlock/client";
import { createTill } from "@interlock/client/till";
import { money, say, supabase } from "../connect.js";

const OPENING_CASH = 10_000;

// Read once, in the morning: names and prices for the screen. The database says what is right when a sale comes.
const [register, barcodes, products] = await Promise.all([
  read(
    supabase.from("registers").select().eq("active", true).order("created_at")
      .limit(1),
  ),
  read(supabase.from("product_barcodes").select()),
  read(supabase.from("products").select()),
]).then(([registers, ...rest]) => [registers[0], ...rest]);

const till = createTill(supabase, {
  registerId: register.id,
  answerMs: 3_000,
  onChange: showWaiting,
});
let lines = [];

document.querySelector("#open").onclick = () =>
  attempt(async () => {
    await till.openShift(OPENING_CASH);
    say("The shift is open.");
    await showShift();
  });

document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  const barcode = event.target.barcode.value.trim();
  event.target.reset();
  const known = barcodes.find((row) => row.barcode === barcode);
  const product = known && products.find(({ id }) => id === known.product_id);
  if (!product) return say(`${barcode} is not known here.`);
  const line = lines.find((line) => line.barcode === barcode);
  if (line) line.quantity += 1;
  else {lines.push({
      barcode,
      quantity: 1,
      unit_price: product.price * known.units,
      name: product.name,
    });}
  showLines();
};

document.querySelector("#cash").onclick = () =>
  attempt(async () => {
    const total = sum();
    const outcome = await till.sell({
      lines: lines.map(({ barcode, quantity, unit_price }) => ({
        barcode,
        quantity,
        unit_price,
      })),
      tenders: [{ type: "cash", amount: total }],
      expected_total: total,
    });
    lines = [];
    showLines();
    say(
      outcome.state === "sold"
        ? `Sold: receipt ${outcome.sale.receipt_number}.`
        : "Sold. It is sent when the network is back.",
    );
  });

await Promise.all([showShift(), showWaiting()]);

function sum() {
  return lines.reduce(
    (total, line) => total + line.quantity * line.unit_price,
    0,
  );
}

function showLines() {
  const rows = lines.map((line) => {
    const row = document.createElement("li");
    row.textContent = `${line.quantity} × ${line.name}`;
    return row;
  });
  document.querySelector("#lines").replaceChildren(...rows);
  document.querySelector("#total").textContent = money(
    sum(),
    register.currency,
  );
  document.querySelector("#cash").disabled = lines.length === 0;
}

async function showShift() {
  document.querySelector("#open").hidden = await till.shift() !== null;
}

async function showWaiting() {
  const pending = await till.pending();
  const waiting = pending.filter(({ state }) => state !== "failed");
  document.querySelector("#waiting").textContent = waiting.length
    ? `${waiting.length} to be sent`
    : "";
  // Refused for good: somebody looks at it, then it is sent again or given up.
  const failed = pending.filter(({ state }) => state === "failed").map(
    (entry) => {
      const row = document.createElement("li");
      row.textContent = `${entry.time}: ${entry.error.code}`;
      const again = document.createElement("button");
      again.textContent = "Send again";
      again.onclick = () => till.retry(entry.key);
      row.append(again);
      return row;
    },
  );
  document.querySelector("#failed").replaceChildren(...failed);
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    say(`${error.message} (${error.code})`);
  }
}

async function read(query) {
  const { data, error } = await query;
  if (error) throw error;
  return data;
}

// @ts-nocheck: bundled by Metro; its settings are the test's.
// Pages that use the hooks: what they show stands in elements by name.
import { createElement as make, StrictMode, useMemo } from "react";
import { createRoot } from "react-dom/client";
import { Interlock } from "@interlock/client";
import {
  useCheckout,
  useClaim,
  usePacking,
  useStock,
} from "@interlock/client/react";

const { apiUrl, anonKey, token, product } = JSON.parse(
  decodeURIComponent(location.hash.slice(1)),
);
const client = globalThis.supabase.createClient(apiUrl, anonKey, {
  accessToken: () => Promise.resolve(token),
});
const shop = new Interlock(client, { budgetMs: 3_000 });
const shown = (id, value) => make("p", { id, key: id }, String(value));
const button = (id, onClick) => make("button", { id, key: id, onClick }, id);
const codeOf = (error) => error?.code ?? error;

function Buy() {
  const { checkout, pending, order, error, unsent, resume } = useCheckout(shop);
  const { stock, expect } = useStock(shop, [product]);
  const cart = { cart_items: [{ product_id: product, quantity: 2 }] };
  return [
    button("buy", () => void expect({ [product]: -2 }, checkout(cart))),
    button("resume", resume),
    shown("buying", pending),
    shown("order", order?.id),
    shown("refusal", codeOf(error)),
    shown("unsent", unsent),
    shown("stock", stock[product]?.orderable_quantity),
  ];
}

function Drive() {
  const { claim, complete, batch, doing } = useClaim(shop);
  return [
    button("claim", () => claim()),
    button("complete", () => complete(batch.id)),
    shown("batch", batch?.status),
    shown("doing", doing),
  ];
}

function Pack() {
  const { view, pending, table } = usePacking(client, "session", {
    pollMs: 600_000,
  });
  const packed = useMemo(() => view.lines.map((line) => line.packed), [view]);
  const scan = { orderId: "o", productId: "p" };
  return [
    button("scan", () => table.pack(scan).catch(() => {})),
    shown("packed", packed),
    shown("packing", pending),
  ];
}

const parts = [Buy, Drive, Pack].map((part) => make(part, { key: part.name }));
createRoot(document.querySelector("main")).render(make(StrictMode, {}, parts));
document.body.dataset.ready = "yes";

// Amounts, as people read them.

// By ISO 4217, as the shop counts, a currency has two decimals but for these. Do not ask Intl: it knows what is usual in cash, and says none of
// HUF or IDR, where the shop counts two.
const DECIMALS = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
};

/** An amount in minor units: 1299 of EUR is €12.99, of JPY ¥1,299, of KWD KWD 1.299. */
export function money(amount, currency) {
  const [decimals] = Object.entries(DECIMALS)
    .find(([, codes]) => codes.includes(currency)) ?? ["2"];
  return new Intl.NumberFormat("en", {
    style: "currency",
    currency,
    minimumFractionDigits: Number(decimals),
    maximumFractionDigits: Number(decimals),
  }).format(amount / 10 ** Number(decimals));
}

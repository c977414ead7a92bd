/** A store like `localStorage`, in memory. */
export function store() {
  /** @type {Map<string, string>} */
  const items = new Map();
  return {
    items,
    getItem: (/** @type {string} */ name) => items.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => {
      items.set(name, value);
    },
    removeItem: (/** @type {string} */ name) => {
      items.delete(name);
    },
  };
}

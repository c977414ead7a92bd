// Where a till keeps its sales until they are answered.
import type { Entry } from "./till.ts";

/** Where a till keeps what waits; several tabs may share one. */
export interface TillStore {
  /** All there is, in the order in which it came. */
  all(): Promise<Entry[]>;
  /**
   * Makes of the entry of this key what `change` says, in one step that no other can come between: nothing if it says
   * nothing. Answers what there is then.
   */
  change(
    key: string,
    change: (entry: Entry | undefined) => Entry | undefined,
  ): Promise<Entry | undefined>;
}

/** One that lasts as long as the page. */
export function memoryStore(): TillStore {
  const entries = new Map<string, Entry>();
  return {
    all: () => Promise.resolve([...entries.values()]),
    change(key, change) {
      const entry = change(entries.get(key));
      if (entry) entries.set(key, entry);
      else entries.delete(key);
      return Promise.resolve(entry);
    },
  };
}

/** The one of this origin, if the browser has any; if it forbids it, a memory. */
export function browserStore(): TillStore | undefined {
  if (typeof indexedDB === "undefined") return undefined;
  return shared ??= indexedStore();
}

let shared: TillStore | undefined;

const NAME = "interlock-till";
const ENTRIES = "entries";
const BY_KEY = "by_key";

function indexedStore(): TillStore {
  const memory = memoryStore();
  let opening: Promise<IDBDatabase | null> | undefined;
  const open = () => opening ??= openDatabase().catch(() => null);
  return {
    async all() {
      const database = await open();
      if (!database) return memory.all();
      const found = database.transaction(ENTRIES).objectStore(ENTRIES).getAll();
      return new Promise((resolve, reject) => {
        found.onsuccess = () => resolve(found.result);
        found.onerror = () => reject(found.error);
      });
    },
    async change(key, change) {
      const database = await open();
      if (!database) return memory.change(key, change);
      const step = database.transaction(ENTRIES, "readwrite", {
        durability: "strict",
      });
      const entries = step.objectStore(ENTRIES);
      const search = entries.index(BY_KEY).openCursor(key);
      let entry: Entry | undefined;
      search.onsuccess = () => {
        const place = search.result;
        entry = change(place?.value);
        if (!entry) place?.delete();
        else if (place) place.update(entry);
        else entries.add(entry);
      };
      return new Promise((resolve, reject) => {
        step.oncomplete = () => resolve(entry);
        step.onabort = () => reject(step.error);
      });
    },
  };
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      // Its own numbers keep the order.
      const entries = request.result.createObjectStore(ENTRIES, {
        autoIncrement: true,
      });
      entries.createIndex(BY_KEY, "key", { unique: true });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

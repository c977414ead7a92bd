// Ids that nobody else has, also where there is no `crypto`, as in React Native.

let source: ((count: number) => Uint8Array) | undefined;

/**
 * Where random bytes come from if the platform has no `crypto.getRandomValues`: `getRandomBytes` of expo-crypto, or
 * anything that answers so many bytes. Without it ids are made of the time, a counter and `Math.random`: they are unique
 * and can be guessed, which is good enough for keys that count only for whoever is signed in, as all of this client do.
 */
export function setRandomBytes(
  bytes: ((count: number) => Uint8Array) | undefined,
): void {
  source = bytes;
}

/** An id that nobody else has: 128 bits. `randomUUID` is missing on pages without TLS, too. */
export function freshId(): string {
  return Array.from(bytes(), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** The same as a UUID. */
export function freshUuid(): string {
  const hex = freshId();
  const digits = `${hex.slice(0, 12)}4${hex.slice(13, 16)}8${hex.slice(17)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function bytes(): Uint8Array {
  if (source) return source(16);
  const crypto = globalThis.crypto as Crypto | undefined;
  return crypto?.getRandomValues?.(new Uint8Array(16)) ?? likely();
}

let count = Math.floor(Math.random() * 2 ** 16);

/** Unique on this device by the time and the counter, and among devices by 64 random bits. */
function likely(): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  const now = Date.now();
  view.setUint32(0, now / 2 ** 16);
  view.setUint16(4, now % 2 ** 16);
  view.setUint32(6, Math.random() * 2 ** 32);
  view.setUint32(10, Math.random() * 2 ** 32);
  view.setUint16(14, count = (count + 1) % 2 ** 16);
  return new Uint8Array(view.buffer);
}

// Reads a body as text, within a limit of size. Whoever calls sees to the time.
import type { BodyFault } from "./core.ts";

export type Body = { text: string; fault?: undefined } | {
  text?: undefined;
  fault: BodyFault;
};

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Of a body above `maxBytes` up to `drainBytes` more are read and thrown away: whoever is still sending
 * when the connection closes may never see the answer that says why.
 */
export async function readBody(
  message: Request | Response,
  maxBytes: number,
  drainBytes = 0,
): Promise<Body> {
  const announced = message.headers.get("content-length");
  // HTTP sees to it that there is not more than was announced, unless it is compressed. Reading it in
  // one piece costs a fraction of the CPU of a stream.
  const whole = announced !== null && Number(announced) <= maxBytes &&
    !message.headers.has("content-encoding");
  try {
    const bytes = whole
      ? await message.arrayBuffer()
      : await collect(message, Number(announced), maxBytes, drainBytes);
    if (bytes === undefined || bytes.byteLength > maxBytes) {
      return { fault: "too_large" };
    }
    return decode(bytes);
  } catch {
    return { fault: "aborted" };
  }
}

function decode(bytes: ArrayBuffer): Body {
  try {
    return { text: utf8.decode(bytes) };
  } catch {
    return { fault: "not_utf8" };
  }
}

/** The bytes as they come; undefined if there are more than `maxBytes`. */
async function collect(
  message: Request | Response,
  announced: number,
  maxBytes: number,
  drainBytes: number,
): Promise<ArrayBuffer | undefined> {
  if (announced > maxBytes + drainBytes) {
    message.body?.cancel().catch(() => {});
    return undefined;
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of message.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes <= maxBytes) chunks.push(chunk);
    if (bytes > maxBytes + drainBytes) break; // Which cancels the rest.
  }
  if (Math.max(bytes, announced) > maxBytes) return undefined;
  return new Blob(chunks).arrayBuffer();
}

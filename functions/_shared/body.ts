// Reads a body as text, within a limit of size. Whoever calls sees to the time.
import type { BodyFault } from "./core.ts";

export type Body = { text: string; fault?: undefined } | {
  text?: undefined;
  fault: BodyFault;
};

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Of a body above `maxBytes` up to `drainBytes` more are taken in: whoever is still sending when the
 * connection closes may never see the answer that says why.
 */
export async function readBody(
  message: Request | Response,
  maxBytes: number,
  drainBytes = 0,
): Promise<Body> {
  const announced = message.headers.get("content-length");
  let bytes;
  try {
    // No more comes than was announced, unless it is compressed. In one piece it costs a fraction of
    // the CPU of a stream.
    bytes = announced !== null && Number(announced) <= maxBytes &&
        !message.headers.has("content-encoding")
      ? await message.arrayBuffer()
      : await collect(message, Number(announced), maxBytes, drainBytes);
  } catch {
    return { fault: "aborted" };
  }
  if (!bytes || bytes.byteLength > maxBytes) return { fault: "too_large" };
  try {
    return { text: utf8.decode(bytes) };
  } catch {
    return { fault: "not_utf8" };
  }
}

/** What a body begins with, as far as it comes and can be read. */
export async function readStart(
  { body }: Response,
  maxBytes: number,
): Promise<Body> {
  const lenient = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      text += lenient.decode(chunk.subarray(0, maxBytes - bytes), {
        stream: true,
      });
      bytes += chunk.byteLength;
      if (bytes >= maxBytes) break; // Which cancels the rest.
    }
  } catch {
    // It has broken off, or takes too long.
  }
  return { text };
}

/** Undefined if there are more than `maxBytes`. */
async function collect(
  message: Request | Response,
  announced: number,
  maxBytes: number,
  drainBytes: number,
): Promise<ArrayBuffer | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of message.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes <= maxBytes) chunks.push(chunk);
    if (bytes > maxBytes + drainBytes) break; // Which cancels the rest.
  }
  if (Math.max(bytes, announced) > maxBytes) return;
  return new Blob(chunks).arrayBuffer();
}

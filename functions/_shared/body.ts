// Reads a body as text, within a limit of size and time.
import type { BodyFault } from "./core.ts";

export type Body = { text: string; fault?: undefined } | {
  text?: undefined;
  fault: BodyFault;
};

/**
 * Of a body above `maxBytes` up to `drainBytes` more are read and thrown away: whoever is still sending
 * when the connection closes may never see the answer that says why.
 */
export async function readBody(
  message: Request | Response,
  maxBytes: number,
  signal: AbortSignal,
  drainBytes = 0,
): Promise<Body> {
  if (message.body === null) return { text: "" };
  const reader = message.body.getReader();
  const cancel = () => reader.cancel().catch(() => {});
  const announced = Number(message.headers.get("content-length"));
  if (announced > maxBytes + drainBytes) {
    cancel();
    return { fault: "too_large" };
  }
  signal.addEventListener("abort", cancel, { once: true });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let tooLarge = announced > maxBytes;
  let text = "";
  let bytes = 0;
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (signal.aborted) return { fault: tooLarge ? "too_large" : "aborted" };
      if (done) {
        if (tooLarge) return { fault: "too_large" };
        return { text: text + decode(decoder) };
      }
      bytes += value.byteLength;
      tooLarge ||= bytes > maxBytes;
      if (bytes > maxBytes + drainBytes) {
        cancel();
        return { fault: "too_large" };
      }
      if (!tooLarge) text += decode(decoder, value);
    }
  } catch (error) {
    cancel();
    return { fault: error instanceof NotUtf8 ? "not_utf8" : "aborted" };
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

class NotUtf8 extends Error {}

function decode(decoder: TextDecoder, chunk?: Uint8Array<ArrayBuffer>): string {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch {
    throw new NotUtf8();
  }
}

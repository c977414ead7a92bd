// Reads a body as text, within a limit of size and time.
import type { BodyFault } from "./core.ts";

export type Body = { text: string; fault?: undefined } | {
  text?: undefined;
  fault: BodyFault;
};

export async function readBody(
  message: Request | Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Body> {
  if (message.body === null) return { text: "" };
  const reader = message.body.getReader();
  const cancel = () => reader.cancel().catch(() => {});
  if (Number(message.headers.get("content-length")) > maxBytes) {
    cancel();
    return { fault: "too_large" };
  }
  signal.addEventListener("abort", cancel, { once: true });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (signal.aborted) return { fault: "aborted" };
      if (done) return { text: text + decode(decoder) };
      bytes += value.byteLength;
      if (bytes > maxBytes) {
        cancel();
        return { fault: "too_large" };
      }
      text += decode(decoder, value);
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

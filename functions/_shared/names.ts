// Finds the addresses of a name. Which of them may be reached is not decided here.
import type { NoAnswer } from "./core.ts";
import { deadline } from "./time.ts";
import type { Answer } from "./upstream.ts";

let told = false;

/**
 * All addresses of a name, with blanks between; `unset` where the runtime cannot look names up. A repeat asks again: names
 * may lead elsewhere by then.
 */
export async function lookUp(
  name: string,
  timeoutMs: number,
): Promise<Answer | NoAnswer> {
  const controller = new AbortController();
  const { signal } = controller;
  const met = deadline(timeoutMs, () => controller.abort());
  try {
    const kinds = ["A", "AAAA"] as const;
    const found = await Promise.all(kinds.map(async (kind) => {
      try {
        return await Deno.resolveDns(name, kind, { signal });
      } catch (error) {
        // None of this kind.
        if (nameOf(error) === "NotFound") return [];
        throw error;
      }
    }));
    const text = found.flat().join(" ");
    if (text === "") return "unsent";
    return { status: 200, text, replayed: false, retryAfterS: undefined };
  } catch (error) {
    if (signal.aborted) return "timed_out";
    if (!cannot(error)) return "unsent";
    if (!told) {
      console.error(
        "names cannot be looked up in this runtime, so where they lead is not looked at",
      );
    }
    told = true;
    return "unset";
  } finally {
    met();
  }
}

/** Whether it is the runtime that does not do it: it has no such function, or none for us. */
function cannot(error: unknown): boolean {
  return typeof Deno.resolveDns !== "function" ||
    ["NotCapable", "NotSupported", "PermissionDenied"].includes(nameOf(error));
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

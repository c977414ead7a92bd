import { type Calls, READING, WRITING } from "./calls.ts";
import type { CallOptions } from "./client.ts";
import type { Functions } from "./rpcs.ts";

/** How a database function is called. */
export interface DatabaseOptions extends CallOptions {
  /**
   * Whether a second one does no harm, so that it is sent again where no answer came. Unless it is said: where it only reads,
   * or is called with a `reference` or an `idempotency_key`.
   */
  repeatable?: boolean;
}

type Call = (
  name: keyof Functions,
  // deno-lint-ignore no-explicit-any
  parameters: any,
  options: DatabaseOptions,
) => Promise<unknown>;

/** A method for each of them. */
export function database(call: Call): Calls {
  const calls: Record<string, unknown> = {};
  for (const [names, reads] of [[READING, true], [WRITING, false]] as const) {
    for (const name of names.split(" ")) {
      calls[inCamelCase(name)] = (
        parameters: Record<string, unknown> = {},
        options: DatabaseOptions = {},
      ) => {
        const { reference, idempotency_key } = parameters;
        const repeatable = reads || (reference ?? idempotency_key) != null;
        return call(name as keyof Functions, prefixed(parameters), {
          repeatable,
          ...options,
        });
      };
    }
  }
  return calls as unknown as Calls;
}

/** The database puts `p_` before each name, so that none is taken for a column. */
function prefixed(parameters: Record<string, unknown>) {
  const named: Record<string, unknown> = {};
  for (const name of Object.keys(parameters)) {
    named[`p_${name}`] = parameters[name];
  }
  return named;
}

function inCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

// promo-validate: what a promo code takes off, and a hold on one use of it.
// What it does is in crates/domain/src/promo_validate.rs.
import * as core from "./core.js";
import { serve } from "../_shared/serve.ts";

export default { fetch: serve(core) };

// checkout: stock, order, payment and promo in one transaction.
// What it does is in crates/domain/src/checkout.rs.
import * as core from "./core.js";
import { serve } from "../_shared/serve.ts";

export default { fetch: serve(core) };

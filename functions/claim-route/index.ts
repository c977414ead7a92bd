// claim-route: one driver per delivery batch. What it does is in crates/domain/src/claim_route.rs.
import * as core from "./core.js";
import { serve } from "../_shared/serve.ts";

export default { fetch: serve(core) };

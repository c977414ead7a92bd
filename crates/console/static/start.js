import start from "./console.js";

await start({ module_or_path: "console.wasm" });

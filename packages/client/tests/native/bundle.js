// An app as React Native's own bundler makes it: Metro, its preset, the conditions of a phone.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Metro from "metro";

const require = createRequire(import.meta.url);
/** Metro wants no slash at the end. @param {string} path */
const at = (path) => join(fileURLToPath(new URL(".", import.meta.url)), path);

/**
 * The bundle of an app in this folder, as text.
 * @param {string} entry
 * @param {{ platform?: string, conditions?: string[], minify?: boolean }} options
 */
export async function bundle(
  entry,
  { platform = "ios", conditions = ["react-native"], minify = false } = {},
) {
  const config = await Metro.loadConfig({ resetCache: true }, {
    projectRoot: at("../.."),
    watchFolders: [at("../../../../node_modules")],
    cacheStores: [],
    maxWorkers: 1,
    reporter: { update: () => {} },
    resolver: {
      unstable_conditionNames: conditions,
      unstable_enablePackageExports: true,
      useWatchman: false,
    },
    transformer: {
      babelTransformerPath: require.resolve("./transform.cjs"),
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "interlock-metro-"));
  try {
    const out = join(folder, "bundle.js");
    await Metro.runBuild(config, {
      entry: at(entry),
      platform,
      dev: false,
      minify,
      out,
    });
    return await readFile(out, "utf8");
  } finally {
    await rm(folder, { recursive: true });
  }
}

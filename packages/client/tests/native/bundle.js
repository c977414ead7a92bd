// An app as React Native's own bundler makes it: Metro, its preset, the conditions of a phone.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import Metro from "metro";

const require = createRequire(import.meta.url);
/** Metro wants no slash at the end. @param {string} path */
const at = (path) => join(fileURLToPath(new URL(".", import.meta.url)), path);

/**
 * The bundle of an app in this folder, as text. An app elsewhere names the folders that it is made of, and what stands for packages that are not
 * installed here.
 * @param {string} entry
 * @param {{
 *   platform?: string, conditions?: string[], minify?: boolean, folders?: string[], standIns?: Record<string, string>,
 * }} options
 */
export async function bundle(
  entry,
  {
    platform = "ios",
    conditions = ["react-native"],
    minify = false,
    folders = [],
    standIns = {},
  } = {},
) {
  const config = await Metro.loadConfig({ resetCache: true }, {
    projectRoot: at("../.."),
    watchFolders: [at("../../../../node_modules"), ...folders],
    cacheStores: [],
    maxWorkers: 1,
    reporter: { update: () => {} },
    resolver: {
      unstable_conditionNames: conditions,
      unstable_enablePackageExports: true,
      useWatchman: false,
      resolveRequest: (context, name, platform) => {
        const filePath = standIns[name];
        return filePath
          ? { type: "sourceFile", filePath }
          : context.resolveRequest(context, name, platform);
      },
    },
    transformer: {
      babelTransformerPath: require.resolve("./transform.cjs"),
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "interlock-metro-"));
  try {
    const out = join(folder, "bundle.js");
    await Metro.runBuild(config, {
      entry: isAbsolute(entry) ? entry : at(entry),
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

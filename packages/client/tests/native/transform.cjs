// @ts-nocheck: Babel comes without types.
// What `@react-native/metro-babel-transformer` does, without what it does for an app's own settings.
const { parseSync, transformFromAstSync } = require("@babel/core");

/** @param {{ filename: string, options: any, src: string, plugins: any }} file */
exports.transform = ({ filename, options, src, plugins }) => {
  const config = {
    babelrc: false,
    configFile: false,
    caller: { name: "metro", bundler: "metro", platform: options.platform },
    ast: true,
    code: false,
    cloneInputAst: false,
    filename,
    sourceType: "unambiguous",
    presets: [[require("@react-native/babel-preset"), { dev: options.dev }]],
    plugins,
  };
  const source = parseSync(src, config);
  const { ast, metadata } = transformFromAstSync(source, src, config);
  return { ast, metadata };
};

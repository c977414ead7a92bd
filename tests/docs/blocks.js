// The code blocks of a page, and what the page says about running them.
import { readdirSync, readFileSync } from "node:fs";

/** The repository. */
export const root = new URL("../../", import.meta.url);

/**
 * @typedef {{
 *   page: string, line: number, lang: string, text: string, where: string,
 *   notRun?: string, saved?: string, noRows: boolean, mayFindNothing: boolean, broken?: string, brokenByTwo?: string, mends: boolean,
 * }} Block
 */

/** What a page is shown with, and nobody runs. */
const PICTURES = ["text", "mermaid"];

/** Whether it has to run, be checked, or say why not. */
export const isCode = (/** @type {Block} */ block) =>
  !PICTURES.includes(block.lang);

/** Every page that somebody reads: a new one is among them without being named anywhere. */
export function pages() {
  const inFolder = (/** @type {string} */ folder) =>
    readdirSync(new URL(folder, root))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}${name}`.replace(/^\.\//, ""));
  const below = (/** @type {string} */ folder) => {
    try {
      return readdirSync(new URL(folder, root), { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
        .flatMap((entry) => inFolder(`${folder}${entry.name}/`));
    } catch {
      return [];
    }
  };
  return [
    ...inFolder("./"),
    ...inFolder("docs/"),
    ...below("packages/"),
    ...inFolder("examples/"),
    ...below("examples/"),
  ].filter((page) => page !== "CHANGELOG.md");
}

/**
 * The blocks of a page, in order. What a comment before a block may say:
 * `not run: REASON`; `no rows` (SQL: it has to find none); `may find nothing: REASON` (SQL: a write without a row is no mistake).
 * `saved as NAME` (a program, for the lines for a shell that follow).
 * Of a symptom: `broken by: SQL` (the block finds nothing before that is done, and something after it), `broken by two sessions at once: SQL`
 * (the first keeps the second waiting), and before the block that follows `mends it` (after which it finds nothing any more).
 * @param {string} page
 * @returns {Block[]}
 */
export function blocksOf(
  page,
  text = readFileSync(new URL(page, root), "utf8"),
) {
  /** @type {Block[]} */
  const blocks = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const fence = /^(\s*)(`{3,})(\S*)\s*$/.exec(lines[at] ?? "");
    if (!fence) continue;
    const [, indent = "", ticks = "", lang = ""] = fence;
    const end = lines.findIndex((line, n) => n > at && line === indent + ticks);
    if (end < 0) throw new Error(`${page}:${at + 1}: the block has no end`);
    const said = commentBefore(lines, at);
    const reason = (/** @type {string} */ word) =>
      said.startsWith(`${word}:`)
        ? said.slice(word.length + 1).trim()
        : undefined;
    blocks.push({
      page,
      line: at + 1,
      where: `${page}:${at + 1}`,
      lang,
      text: lines.slice(at + 1, end).map((line) => line.slice(indent.length))
        .join("\n"),
      notRun: reason("not run"),
      saved: /^saved as (\S+)$/.exec(said)?.[1],
      noRows: said === "no rows",
      mayFindNothing: reason("may find nothing") !== undefined,
      broken: reason("broken by"),
      brokenByTwo: reason("broken by two sessions at once"),
      mends: said === "mends it",
    });
    at = end;
  }
  return blocks;
}

/** What the comment before a line says; it may be of several lines. */
function commentBefore(
  /** @type {string[]} */ lines,
  /** @type {number} */ at,
) {
  let end = at - 1;
  while (end >= 0 && lines[end]?.trim() === "") end -= 1;
  if (!lines[end]?.trimEnd().endsWith("-->")) return "";
  let begin = end;
  while (begin >= 0 && !lines[begin]?.trimStart().startsWith("<!--")) {
    begin -= 1;
  }
  return lines.slice(begin, end + 1).join("\n").trim()
    .replace(/^<!--\s*/, "").replace(/\s*-->$/, "");
}

// The tools that can be tried, and what each asks for. Names and meanings are those that agents have.
import type { BrowserTree } from "../../../host/code/browser.js";

/** What was typed, by field; an empty text is none. */
export type Values = Record<string, string>;

export interface Field {
  name: string;
  label: string;
  kind: "text" | "lines" | "flag" | "choice";
  /** Of a choice. */
  of?: readonly string[];
  /** What is there at first, with the sample. */
  example?: string;
  hint?: string;
}

export interface Tool {
  id: string;
  title: string;
  about: string;
  fields: Field[];
  /** It is the syntax module's, not the search module's. */
  parses: boolean;
  /** Without these there is nothing to ask. */
  needs: string[];
  /** Each line of an answer is a file's path. */
  listsFiles?(values: Values): boolean;
  call(tree: BrowserTree, values: Values, signal: AbortSignal): Promise<string>;
}

/** As in src/code/syntax/language.rs; a test asks for each. */
export const LANGUAGES = [
  ...["rust", "typescript", "tsx", "javascript", "python", "go", "java", "c", "cpp", "csharp", "ruby", "php"],
  ...["kotlin", "lua", "bash", "html", "css", "json", "toml", "yaml", "markdown"],
] as const;

const globs: Field = { name: "globs", label: "Globs", kind: "text", hint: "*.ts !test/**" };
const path: Field = { name: "path", label: "File or folder", kind: "text", hint: "all of it" };

/** Globs as people write them: with spaces or commas between them. */
const split = (text = "") => text.split(/[\s,]+(?![^{]*\})/).filter((glob) => glob !== "");
const scope = ({ path, globs }: Values) => ({ ...(path && { path }), globs: split(globs) });

export const TOOLS: Tool[] = [
  {
    id: "code_search",
    parses: false,
    title: "Search text",
    about: "Lines that match, by ripgrep's rules of what is ignored, hidden or binary.",
    fields: [
      { name: "pattern", label: "Regular expression", kind: "text", example: "impl .* for" },
      globs,
      path,
      { name: "literal", label: "Plain text", kind: "flag" },
      { name: "ignore_case", label: "Ignore case", kind: "flag" },
      { name: "word", label: "Whole words", kind: "flag" },
      { name: "mode", label: "Show", kind: "choice", of: ["lines", "files", "count"] },
      { name: "context", label: "Lines around", kind: "choice", of: ["0", "1", "2", "5"] },
    ],
    needs: ["pattern"],
    listsFiles: ({ mode }) => mode === "files" || mode === "count",
    call: (tree, values, signal) => {
      const { pattern = "", mode, context, literal, ignore_case, word } = values;
      const flags = { literal: !!literal, ignore_case: !!ignore_case, word: !!word };
      const shown = mode === "files" || mode === "count" ? mode : "lines";
      return tree.search(
        { pattern, mode: shown, context: Number(context ?? 0), ...flags, ...scope(values) },
        signal,
      );
    },
  },
  {
    id: "find_files",
    parses: false,
    title: "Find files",
    about: "By the letters of their path, as an editor's file opener does, or by a glob.",
    fields: [
      { name: "fuzzy", label: "Letters of the path", kind: "text", example: "phasrs" },
      { name: "glob", label: "Glob", kind: "text", hint: "src/**/*.{ts,tsx}" },
      { name: "sort", label: "Order", kind: "choice", of: ["best first", "modified"] },
    ],
    needs: [],
    listsFiles: () => true,
    call: (tree, { fuzzy, glob, sort }, signal) =>
      tree.findFiles(
        {
          ...(fuzzy && { fuzzy }),
          ...(glob && { glob: split(glob) }),
          ...(sort === "modified" && { sort }),
        },
        signal,
      ),
  },
  {
    id: "ast_search",
    parses: true,
    title: "Search syntax",
    about: "Code of this shape, wherever it is: $A is any expression, $$$REST any number of them.",
    fields: [
      { name: "pattern", label: "Pattern, or a rule", kind: "lines", example: "Some($A)" },
      { name: "language", label: "Language", kind: "choice", of: LANGUAGES },
      { name: "rewrite", label: "Rewrite to (a preview)", kind: "text", hint: "Ok($A)" },
      globs,
      path,
    ],
    needs: ["pattern"],
    call: (tree, values, signal) => {
      const { pattern = "", language = LANGUAGES[0], rewrite } = values;
      const what = { pattern, language, ...scope(values) };
      return rewrite ? tree.rewrite({ ...what, rewrite }, signal) : tree.astSearch(what, signal);
    },
  },
  {
    id: "code_outline",
    parses: true,
    title: "Outline",
    about: "A file's symbols; of a folder those that are used most; or where a name is defined and used.",
    fields: [
      { ...path, example: "src/mission/phase.rs" },
      { name: "symbol", label: "Name", kind: "text", hint: "none" },
      globs,
    ],
    needs: [],
    call: (tree, values, signal) =>
      tree.outline({ ...scope(values), ...(values["symbol"] && { symbol: values["symbol"] }) }, signal),
  },
  {
    id: "code_diagnostics",
    parses: true,
    title: "Diagnostics",
    about: "Errors of syntax, merge conflicts, broken JSON, YAML and TOML.",
    fields: [path, globs],
    needs: [],
    call: (tree, values, signal) => tree.diagnostics(scope(values), signal),
  },
];

/** What is searched for, and what is shown of it. */
export interface SearchArgs {
  /** A regular expression in ripgrep's syntax, or plain text with `literal`. */
  pattern: string;
  literal?: boolean;
  ignore_case?: boolean;
  /** Whole words only. */
  word?: boolean;
  /** Matches may span lines. */
  multiline?: boolean;
  /** Such as `*.ts` and `!test/**`; the last that matches decides. */
  globs?: string[];
  /** A file or folder of the tree. */
  path?: string;
  /** Lines around each match. */
  context?: number;
  /** Lines or files shown; 100 if not given. */
  limit?: number;
  mode?: "lines" | "files" | "count";
}

export interface FindFilesArgs {
  /** Such as `src/**\/*.{ts,tsx}`; without capitals it matches both cases. */
  glob?: string | string[];
  /** Letters of the path, as in an editor's file opener. */
  fuzzy?: string;
  path?: string;
  sort?: "path" | "modified";
  /** Files shown; 100 if not given. */
  limit?: number;
}

/** The files that a query is about: all, if nothing is given. */
export interface ScopeArgs {
  path?: string;
  globs?: string[];
}

export interface AstSearchArgs extends ScopeArgs {
  /** An ast-grep pattern such as `foo($A, $$$REST)`, or a YAML rule that begins with `rule:`. */
  pattern: string;
  /** Such as `typescript`. */
  language: string;
  /** Matches shown; 100 if not given. */
  limit?: number;
}

export interface RewriteArgs extends ScopeArgs {
  pattern: string;
  /** What takes the matches' place, with the pattern's variables. */
  rewrite: string;
  language: string;
}

export interface SyntaxTreeArgs {
  path: string;
  /** Marks its matches, as `astSearch` finds them. */
  pattern?: string;
}

/** A part of a file's tree. Places are indexes into `text`. */
export interface SyntaxNode {
  kind: string;
  /** What it is to the node that it is in, where the grammar says so. */
  field?: string;
  /** Nodes that it is in. */
  depth: number;
  start: number;
  end: number;
  /** An error of syntax, or something that is missing. */
  wrong?: true;
  /** The pattern matches here. */
  match?: true;
}

export interface SyntaxTree {
  language: string;
  text: string;
  /** The named nodes and those that are wrong, in the order of the text, a node before those in it. */
  nodes: SyntaxNode[];
  /** There are so many more nodes, which were left out. */
  more: number;
  matches: number;
}

export interface OutlineArgs extends ScopeArgs {
  /** Nesting shown; 3 if not given. */
  depth?: number;
  /** Shows where this name is defined and used instead. */
  symbol?: string;
}

export interface OpenTreeOptions {
  /** Memory of index and cache, in MB: 16 to 4096, 256 if not given. */
  memoryMb?: number;
  /** Worker threads; 0 or nothing lets the library choose. */
  workers?: number;
  /**
   * Lets the system tell of changes, where it can (Linux, on file systems of this machine), instead of looking at each
   * file; true if not given.
   */
  watch?: boolean;
}

/**
 * A folder that can be searched. What is known of it from one query to the next is checked before it is used, unless a
 * change would have been told.
 */
export interface Tree {
  /**
   * The lines that match, by file, and a last line that says what was left out. Files that define what is searched for
   * come first, then sources, tests, and the rest; with `mode: "count"` those with most matches.
   * Rejects with the reason when the arguments are wrong, and at once when `signal` aborts.
   */
  search(args: SearchArgs, signal?: AbortSignal): Promise<string>;
  /** The paths of files, and a last line that counts them. Rejects as `search` does. */
  findFiles(args: FindFilesArgs, signal?: AbortSignal): Promise<string>;
  /**
   * Indexes what the queries so far came by, which else happens in between. Gives the bytes that index and cache take.
   * Files that changed in the last two seconds are left for later.
   */
  index(signal?: AbortSignal): Promise<number>;
  /** The matches of a pattern, by file. Rejects as `search` does. */
  astSearch(args: AstSearchArgs, signal?: AbortSignal): Promise<string>;
  /** What a rewrite of all matches would change, as a unified diff. Nothing is written. Rejects as `search` does. */
  rewrite(args: RewriteArgs, signal?: AbortSignal): Promise<string>;
  /** The syntax tree of a file. Rejects as `search` does. */
  syntaxTree(args: SyntaxTreeArgs, signal?: AbortSignal): Promise<SyntaxTree>;
  /** The symbols of a file, or a map of a folder. Rejects as `search` does. */
  outline(args: OutlineArgs, signal?: AbortSignal): Promise<string>;
  /** Syntax errors, merge conflicts, broken data. Rejects as `search` does. */
  diagnostics(args: ScopeArgs, signal?: AbortSignal): Promise<string>;
  /** Bytes of the instances' memory, after the last query. */
  readonly memoryBytes: number;
  /** Ends the worker threads. */
  close(): Promise<void>;
}

/** Opens a folder. Nothing is read before the first query. */
export declare function openTree(folder: string, options?: OpenTreeOptions): Tree;

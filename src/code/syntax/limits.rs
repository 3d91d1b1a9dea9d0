//! The numbers that tune parsing, with their units and reasons.

/// Larger files are not parsed. Bytes. A tree takes ten to thirty times its text: this keeps the worst below 200 MB.
/// (ast-grep's own program stops at 3 MB.)
pub const MAX_FILE_BYTES: usize = 4_000_000;

/// How often tree-sitter may report progress before a parse is given up: a part for each file and one for each byte. It
/// reports every hundred operations; sound sources need less than 3 operations a byte, error recovery in a minified file
/// a hundred times that. Counted, not timed: the same file always ends the same way.
pub const PARSE_STEPS: usize = 2_000;
pub const PARSE_STEPS_PER_KB: usize = 60;
/// The text is given to the parser in pieces of so many bytes, and so many of them count as a step: the lexer goes through
/// them in the time of a step's operations.
pub const READ_BYTES: usize = 256;
pub const READS_PER_STEP: usize = 8;
/// And how long a parse may take at most, looked at every so many steps. Milliseconds. Sound sources take a fifth of it; the
/// scanners of HTML and YAML keep a stack, and each of their tokens costs the more the deeper they are.
pub const PARSE_MS: f64 = 5_000.0;
pub const STEPS_PER_LOOK: usize = 16;
/// And what it may add to the module's memory: four times the tree of the largest file. Bytes.
pub const PARSE_BYTES: usize = 512 << 20;

/// Rules look at all ancestors of each node that may match: in a file nested deeper than this they are not tried. Nodes.
pub const RULE_DEPTH: u32 = 1_000;

/// How long a request works before it lets the worker look for others, and for its own cancellation. Milliseconds.
pub const SLICE_MS: f64 = 8.0;

/// What trees and their texts may take in memory. Bytes.
pub const CACHE_BYTES: usize = 256 << 20;
/// What a tree takes for each byte of its text, roughly: measured between 9 (prose, data) and 25 (dense code).
pub const TREE_BYTES_PER_BYTE: usize = 20;
/// A tree is made from the file's old one where at least this share of the new text was in it, in percent: looking for what
/// can be used again takes longer than parsing otherwise (half as long again for unrelated texts).
pub const SHARED_PERCENT: usize = 50;

/// Contents remembered as too hard to parse. Files.
pub const REFUSED_FILES: usize = 1_000;

/// Matches shown when the call does not say, and the most that it can ask for.
pub const MATCHES: usize = 100;
pub const MAX_MATCHES: usize = 1_000;
/// Characters shown of a match's line.
pub const MATCH_CHARS: usize = 200;
/// Lines shown of a match.
pub const MATCH_LINES: usize = 3;

/// Syntax errors told of one file, and in one answer: behind the first ones are mostly their consequences.
pub const ERRORS_PER_FILE: usize = 20;
pub const ERRORS: usize = 100;
/// Tokens named as expected.
pub const EXPECTED: usize = 5;

/// Characters of a signature in an outline.
pub const SIGNATURE_CHARS: usize = 160;
/// Memory that the wasm module asks for at once, when it is out of it: the allocator asks for each 64 KiB by itself, which
/// took half of the time of a parse. It costs nothing until it is used. Bytes.
pub const RESERVED_BYTES: usize = 64 << 20;

/// Nesting of an outline when the call does not say.
pub const OUTLINE_DEPTH: usize = 3;
/// What the map of a folder may take. Tokens, at [`CHARS_PER_TOKEN`].
pub const MAP_TOKENS: usize = 3_000;
pub const CHARS_PER_TOKEN: usize = 4;
/// Symbols of one file in the outline of that file.
pub const OUTLINE_SYMBOLS: usize = 400;
/// References shown of a name.
pub const REFERENCES: usize = 100;

/// Nodes of a file's tree that are given to be shown; matches are given beyond it.
pub const NODES: usize = 3_000;

/// Files that one rewrite may touch, and characters of its diff that are shown.
pub const REWRITE_FILES: usize = 200;
pub const DIFF_CHARS: usize = 24_000;

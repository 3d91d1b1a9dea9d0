// A terminal to tell a story on: lines that stay, and below them, on a real terminal, a panel that is drawn anew.
// Without a terminal, or with NO_COLOR, the lines come plain.
import { stripVTControlCharacters as plain } from "node:util";

const paint = (code) => (text) => `\x1b[${code}m${text}\x1b[0m`;
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const cyan = paint(36);

const FRAME_MS = 100;

/** @param {NodeJS.WriteStream} out */
export function openScreen(out) {
  const rich = out.isTTY && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  const colour = rich || process.env.FORCE_COLOR;
  const lines = /** @type {string[]} */ ([]);
  let draw = () => /** @type {string[]} */ ([]);
  let drawn = 0;

  const shown = (text) => (colour ? text : plain(text));
  const erase = () => {
    if (drawn > 0) out.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const redraw = () => {
    if (!rich) return;
    erase();
    const panel = draw().slice(0, Math.max((out.rows ?? 24) - 1, 1));
    for (const line of panel) out.write(`${shown(cut(line, (out.columns ?? 80) - 1))}\n`);
    drawn = panel.length;
  };
  const timer = rich ? setInterval(redraw, FRAME_MS).unref() : undefined;
  if (rich) out.write("\x1b[?25l");

  return {
    /** What was printed, for a picture of it. */
    lines,
    print(text = "") {
      erase();
      lines.push(text);
      out.write(`${shown(text)}\n`);
      redraw();
    },
    /** The panel's lines, asked for at each frame. */
    panel(next) {
      draw = next;
    },
    close() {
      clearInterval(timer);
      draw = () => [];
      erase();
      if (rich) out.write("\x1b[?25h");
    },
  };
}

/** The first `width` characters, colours not counted. */
function cut(text, width) {
  let left = width;
  return text.replace(/\x1b\[[\d;]*m|./gsu, (piece) => (piece[0] === "\x1b" || left-- > 0 ? piece : ""));
}

/** Printed lines as an SVG picture. */
export function toSvg(lines, title) {
  const size = { char: 7.83, line: 19, left: 20, top: 58 };
  const columns = Math.max(...lines.map((text) => plain(text).length));
  const width = Math.round(columns * size.char + 2 * size.left);
  const height = size.top + lines.length * size.line;
  const classes = { 1: "b", 2: "d", 31: "r", 32: "g", 33: "y", 36: "c" };
  const escaped = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  const spans = (text) =>
    text.replace(/\x1b\[(\d+)m(.*?)\x1b\[0m|([^\x1b]+)/gs, (_, code, inside, outside) =>
      code ? `<tspan class="${classes[code]}">${escaped(inside)}</tspan>` : escaped(outside),
    );
  const rows = lines.map(
    (text, row) => `<text x="${size.left}" y="${size.top + row * size.line}">${spans(text)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d0d7de; white-space: pre }
.b { font-weight: 700; fill: #fff } .d { fill: #8b949e } .r { fill: #ff7b72 } .g { fill: #56d364 } .y { fill: #e3b341 } .c { fill: #79c0ff }
</style>
<rect width="100%" height="100%" rx="9" fill="#0d1117"/>
<circle cx="20" cy="20" r="6" fill="#ff5f57"/><circle cx="40" cy="20" r="6" fill="#febc2e"/><circle cx="60" cy="20" r="6" fill="#28c840"/>
${rows.join("\n")}
</svg>
`;
}

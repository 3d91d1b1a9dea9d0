// The timeline and the plot, one below the other over the same axis: the run's events, each as wide as the next.
import { h, spoken, svg } from "./dom.js";
import type { From, Lane, Level, Mark, Overview } from "./generated/theatre.js";

const LABELS = 76;
const RIGHT = 10;
const LANE = 24;
const PLOT = 132;
const AXIS = 22;
const LANES: { name: string; of: "turns" | "phases" | Lane }[] = [
  { name: "Session", of: "turns" },
  { name: "Mission", of: "phases" },
  { name: "Plugin", of: "plugin" },
  { name: "Sub-agents", of: "tasks" },
  { name: "Person", of: "person" },
  { name: "Trouble", of: "faults" },
];
const TOP = LANES.length * LANE + 12;
const HEIGHT = TOP + PLOT + AXIS;

/** Draws a run once; afterwards only the cursor moves. */
export class Chart {
  private overview: Overview | undefined;
  /** Not of the drawing, which would be painted anew wherever it moves. */
  private readonly cursor = h("div", { class: "cursor", style: `block-size: ${TOP + PLOT}px` });
  private width = 0;
  private moment = 0;

  constructor(
    private readonly holder: HTMLElement,
    private readonly seek: (moment: number) => void,
  ) {
    new ResizeObserver(() => this.draw()).observe(holder);
    holder.addEventListener("pointerdown", (event) => this.drag(event));
    holder.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) this.drag(event);
    });
  }

  show(overview: Overview): void {
    this.overview = overview;
    this.width = 0;
    this.draw();
  }

  moveTo(moment: number): void {
    this.moment = moment;
    this.cursor.style.transform = `translateX(${this.x(moment).toFixed(1)}px)`;
  }

  private drag(event: PointerEvent): void {
    if (!this.overview) return;
    const x = event.clientX - this.holder.getBoundingClientRect().left - LABELS;
    const share = x / Math.max(1, this.width - LABELS - RIGHT);
    if (share > -0.05) this.seek(Math.round(Math.min(1, Math.max(0, share)) * this.overview.total));
  }

  private x(moment: number): number {
    const total = Math.max(1, this.overview?.total ?? 1);
    return LABELS + (moment / total) * (this.width - LABELS - RIGHT);
  }

  private draw(): void {
    const { overview } = this;
    const width = this.holder.clientWidth;
    if (!overview || width === 0 || width === this.width) return;
    this.width = width;
    const drawing = svg("svg", {
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": summary(overview),
    });
    LANES.forEach(({ name, of }, index) => {
      const y = index * LANE;
      drawing.append(
        svg("text", { x: 0, y: y + 16, class: "label" }, name),
        svg("line", { x1: LABELS, x2: width - RIGHT, y1: y + LANE - 1, y2: y + LANE - 1, class: "rule" }),
      );
      if (of === "turns" || of === "phases") this.spans(drawing, overview[of], overview.total, y);
      else
        this.marks(
          drawing,
          overview.marks.filter((mark) => mark.lane === of),
          y,
        );
    });
    this.plot(drawing, overview);
    this.axis(drawing, overview);
    this.holder.replaceChildren(drawing, this.cursor);
    this.moveTo(this.moment);
  }

  private spans(drawing: SVGElement, list: From<string>[], total: number, y: number): void {
    each(list, total, ({ n, value }, end) => {
      const x = this.x(n - 1);
      const bar = svg("rect", {
        x,
        y: y + 5,
        width: Math.max(1, this.x(end) - x - 0.5),
        height: LANE - 11,
        class: `span ${value}`,
      });
      bar.append(svg("title", {}, words(value)));
      drawing.append(bar);
    });
  }

  private marks(drawing: SVGElement, marks: Mark[], y: number): void {
    for (const { n, kind, text } of marks) {
      const middle = y + LANE / 2 - 0.5;
      const x = this.x(n - 0.5);
      const mark = SHARP.has(kind)
        ? svg("path", { d: `M${x} ${middle - 7}l6 7-6 7-6-7z`, class: `mark ${kind}` })
        : svg("circle", { cx: x, cy: middle, r: SMALL.has(kind) ? 2.5 : 4, class: `mark ${kind}` });
      mark.append(svg("title", {}, text));
      drawing.append(mark);
    }
  }

  private plot(drawing: SVGElement, { levels, total }: Overview): void {
    const most = Math.max(
      2,
      ...levels.map(({ value }) =>
        Math.max(value.limit, value.inFlight, Math.min(value.capacity ?? 0, value.ceiling * 1.5)),
      ),
    );
    const top = TOP + 6;
    const y = (value: number) => TOP + PLOT - (Math.min(value, most) / most) * (PLOT - 8);
    drawing.append(svg("text", { x: 0, y: TOP + 18, class: "label" }, "Limit"));
    for (const value of [0, Math.round(most / 2), most]) {
      drawing.append(
        svg("line", { x1: LABELS, x2: this.width - RIGHT, y1: y(value), y2: y(value), class: "rule" }),
        svg("text", { x: LABELS - 8, y: y(value) + 4, class: "tick end" }, String(value)),
      );
    }
    each(levels, total, ({ n, value }, end) => {
      if (value.state === "open") return;
      const x = this.x(n - 1);
      const size = { x, y: top, width: Math.max(1, this.x(end) - x), height: PLOT - 6 };
      const band = svg("rect", { ...size, class: `band ${value.state}` });
      band.append(svg("title", {}, words(value.state)));
      drawing.append(band);
    });
    const path = (of: (level: Level) => number | null) => {
      let d = "";
      each(levels, total, ({ n, value }, end) => {
        const at = of(value);
        if (at !== null)
          d += `${d ? "L" : "M"}${this.x(n - 1).toFixed(1)} ${y(at).toFixed(1)}H${this.x(end).toFixed(1)}`;
      });
      return d;
    };
    const flight = path((level) => level.inFlight);
    if (flight) drawing.append(svg("path", { d: `${flight}V${y(0)}H${this.x(0)}Z`, class: "flight" }));
    drawing.append(
      svg("path", { d: path((level) => level.capacity), class: "capacity" }),
      svg("path", { d: path((level) => level.limit), class: "limit" }),
    );
  }

  private axis(drawing: SVGElement, { at, total }: Overview): void {
    const ticks = Math.max(1, Math.min(6, Math.floor(this.width / 150)));
    for (let i = 0; i <= ticks; i++) {
      const moment = Math.round((i / ticks) * total);
      const text = i === 0 ? "start" : spoken(at.filter(({ n }) => n <= moment).at(-1)?.value ?? 0);
      const place = i === 0 ? "tick" : i === ticks ? "tick end" : "tick middle";
      drawing.append(svg("text", { x: this.x(moment), y: HEIGHT - 6, class: place }, text));
    }
  }
}

/** Calls `draw` with each value and the moment up to which it holds. */
function each<T>(list: From<T>[], total: number, draw: (from: From<T>, end: number) => void): void {
  list.forEach((from, index) => draw(from, (list[index + 1]?.n ?? total + 1) - 1));
}

const SHARP = new Set(["pivot", "crash", "trap", "violation", "evidence"]);
const SMALL = new Set(["task", "refused", "lost", "error"]);

const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function summary({ total, marks, outcome, at }: Overview): string {
  const count = (kind: string) => marks.filter((mark) => mark.kind === kind).length;
  const sent = count("continuation") + count("evidence") + count("pivot");
  return (
    `Timeline of ${total} events over ${spoken(at.at(-1)?.value ?? 0)}: ${sent} continuations, ` +
    `${count("pivot")} interventions, ${count("backoff")} back-offs. ${outcome.text}.`
  );
}

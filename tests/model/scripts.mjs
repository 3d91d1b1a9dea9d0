// Ready-made scripts: the ways an agent can behave in a mission. Each derives what it does next from the
// conversation, so a restart or a retried request gets the same answer.
import { text, todos, rateLimited } from "./server.mjs";

/** @typedef {import('./server.mjs').Script} Script */

const named = (n, done) =>
  Array.from({ length: n }, (_, i) => [`step ${i + 1}`, i < done ? "completed" : "pending"]);
const finished = (list) => (list ?? []).filter((t) => t.status === "completed").length;
/** After a tool result there is nothing left to do in the turn but to say so. */
const afterTool = (ctx) => ctx.messages.at(-1)?.role === "tool";

/**
 * Plans n todos in the first turn, then finishes one a turn: n + 1 turns, two requests each. What is asked when all is
 * done is answered by text alone.
 * @returns {Script}
 */
export const steps =
  (n, { gapMs = 0 } = {}) =>
  (ctx) => {
    const done = finished(ctx.todos);
    if (afterTool(ctx))
      return text(done === 0 ? `Planned ${n} steps.` : `Finished step ${done} of ${n}.`, { gapMs });
    if (!ctx.todos?.length) return [text("Making a plan.", { gapMs }), todos(named(n, 0))];
    if (done >= n) return text("All steps are finished.");
    return [text(`Working on step ${done + 1}.`, { gapMs }), todos(named(n, done + 1))];
  };

/** Plans two todos and then only talks, in the same words or always other ones. @returns {Script} */
export const stuck =
  ({ sameWords = true, n = 2 } = {}) =>
  (ctx) => {
    if (!ctx.todos?.length) return [text("Making a plan."), todos(named(n, 0))];
    if (sameWords) return text("I am still thinking about it.");
    const words = [
      "apple",
      "river",
      "window",
      "cloud",
      "paper",
      "stone",
      "garden",
      "signal",
      "mirror",
      "candle",
    ];
    return text(
      `Considering the ${words[ctx.turn % 10]} beside the ${words[(ctx.turn * 7 + 3) % 10]}, idea number ${ctx.turn}.`,
    );
  };

/**
 * Makes todo lists that change in every turn and never get nearer to an end.
 * @param {{way?: 'reword' | 'toggle' | 'readd'}} [options]
 * @returns {Script}
 */
export const gamer =
  ({ way = "reword" } = {}) =>
  (ctx) => {
    if (afterTool(ctx)) return text(`The list is better now (${ctx.turn}).`);
    const k = ctx.turn;
    if (!ctx.todos?.length)
      return [
        text("Making a plan."),
        todos([
          ["a", "pending"],
          ["b", "pending"],
        ]),
      ];
    if (way === "reword")
      return todos([
        [`a, reworded ${k}`, "pending"],
        [`b, reworded ${k}`, "pending"],
      ]);
    if (way === "toggle")
      return todos([
        ["a", k % 2 ? "in_progress" : "completed"],
        ["b", "pending"],
      ]);
    return todos(
      k % 2
        ? [
            ["a", "pending"],
            ["b", "pending"],
          ]
        : [["b", "pending"]],
    );
  };

/** Finishes one todo a turn and adds another, until `total` are finished. @returns {Script} */
export const growing =
  ({ total = 6 } = {}) =>
  (ctx) => {
    const done = finished(ctx.todos);
    if (afterTool(ctx)) return text(`${done} finished.`);
    if (!ctx.todos?.length) return [text("Making a plan."), todos(named(2, 0))];
    if (done >= total) return text("All steps are finished.");
    return todos(named(Math.min(total, done + 3), done + 1));
  };

/**
 * The provider refuses everything for `ms` from the first refusal on; `after` model requests are let through before.
 * @param {number} ms
 * @param {{inner?: Script, after?: number, fail?: () => import('./server.mjs').Part}} [options]
 * @returns {Script}
 */
export const outage = (ms, { inner = steps(3), after = 2, fail = () => rateLimited() } = {}) => {
  let passed = 0;
  let since = 0;
  return (ctx) => {
    if (passed >= after) {
      since ||= Date.now();
      if (Date.now() - since < ms) return fail();
    }
    passed += 1;
    return inner(ctx);
  };
};

/** Fails the requests for which `when(ctx)` holds, `times` times in all. @returns {Script} */
export const failing = (fail, { inner = steps(3), when = () => true, times = 1 } = {}) => {
  let left = times;
  return (ctx) => {
    if (left > 0 && when(ctx)) {
      left -= 1;
      return fail(ctx);
    }
    return inner(ctx);
  };
};

// Whether the bot trades, how near its limits it is, and what has tripped.

import { byId, mark, Table, write } from "./dom.js";
import { money, moment, number, percent, span } from "./format.js";
import { share } from "./charts.js";

export const sections = ["risk", "emergency"];

const NEAR = 0.8;
const STATES = { closed: "✔ closed", half_open: "⚠ half open", open: "✖ open" };
const levelOf = ({ share: used = 0, result }) =>
  result === "refused" || used > 1 ? "critical" : result === "warned" || used >= NEAR ? "warning" : "";
const ago = (row, link) => `${span((link.now() - row.time) / 1000)} ago`;
let link = null;

const limits = new Table("limits", [
  ["Limit", ({ name, of }) => `${name}${of ? ` · ${of}` : ""}`],
  ["Used", (row) => ({ node: (cell) => share(cell, row.share ?? 0, levelOf(row)) })],
  ["", (row) => ({ text: percent(row.share), className: levelOf(row) }), "number"],
  ["Of", ({ used, limit }) => `${number(used, 4)} of ${number(limit, 4)}`, "number"],
  ["Result", (row) => ({ text: `${{ critical: "✖ ", warning: "⚠ " }[levelOf(row)] ?? ""}${row.result ?? ""}`, className: levelOf(row) }), "nowrap"],
  ["Checked", (row) => ago(row, link), "nowrap muted"],
]);
const breakers = new Table("breakers", [
  ["Breaker", ({ name }) => name],
  ["State", ({ state }) => ({ text: STATES[state] ?? state, className: { open: "critical", half_open: "warning", closed: "ok" }[state] ?? "" }), "nowrap"],
  ["Why", ({ reason }) => reason, "words"],
  ["Since", ({ time }) => moment(time), "nowrap muted"],
]);
const measures = new Table("measures", [
  ["Measure", ({ name, of }) => `${name}${of ? ` · ${of}` : ""}`],
  ["Value", ({ value, currency }) => (currency ? money(value, currency) : number(value, 4)), "number"],
  ["Of", ({ confidence, window }) => [confidence, window].filter(Boolean).join(", ")],
  ["Measured", (row) => ago(row, link), "nowrap muted"],
]);

export function draw(state, from) {
  link = from;
  const { trading = {}, ...tables } = state.risk ?? {};
  const line = byId("risk-state");
  if (state.emergency?.engaged) {
    mark(line, "state critical");
    write(line, `✖ Stopped by hand (${state.emergency.by ?? "?"}): ${state.emergency.reason ?? "no reason given"}`);
  } else if (trading.halted) {
    mark(line, "state critical");
    write(line, `✖ Trading is halted since ${moment(trading.time)}: ${[trading.trigger, trading.reason].filter(Boolean).join(", ")}`);
  } else {
    mark(line, "state ok");
    write(line, trading.time ? `✔ Trading, since ${moment(trading.time)}` : "✔ Trading is not halted");
  }
  limits.show(Object.entries(tables.limits ?? {}).sort(([, a], [, b]) => (b.share ?? 0) - (a.share ?? 0)));
  const worst = ["open", "half_open", "closed"];
  breakers.show(Object.entries(tables.breakers ?? {}).sort(([, a], [, b]) => worst.indexOf(a.state) - worst.indexOf(b.state)));
  measures.show(Object.entries(tables.measures ?? {}));
}

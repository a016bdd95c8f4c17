// How long things take.

import { byId, show, Table } from "./dom.js";
import { spread } from "./charts.js";
import { count, duration, NOTHING, rate } from "./format.js";

export const sections = ["latency"];

const KINDS = ["order", "timer", "market", "runtime"];
let window = "60";

const over = ({ budget, windows }) => budget !== undefined && windows[window]?.[4] > budget;
const time = (at) => ({ windows }) => duration(windows[window]?.[at]);
const table = new Table("latencies", [
  ["", ({ label }) => label],
  ["Spread", ({ windows, budget }) => ({ node: (cell) => spread(cell, windows[window], budget) })],
  ["p50", time(2), "number"],
  ["p95", time(3), "number"],
  ["p99", (row) => ({ text: `${over(row) ? "⚠ " : ""}${time(4)(row)}`, className: over(row) ? "warning" : "" }), "number"],
  ["p99.9", time(5), "number"],
  ["Max", time(6), "number"],
  ["Count", ({ windows }) => count(windows[window]?.[0]), "number"],
  ["Rate", ({ windows }) => rate(windows[window]?.[1]), "number"],
  ["Budget", ({ budget, over: violations }) => (budget === undefined ? NOTHING : `${duration(budget)}${violations ? ` (${count(violations)} over)` : ""}`), "number"],
]);

export function start(link) {
  byId("window").addEventListener("change", ({ target }) => {
    window = target.value;
    draw(link.state);
  });
}

export function draw(state) {
  const rows = Object.entries(state.latency ?? {}).filter(([, { windows }]) => windows[window]);
  rows.sort(([a, { kind: b }], [c, { kind: d }]) => KINDS.indexOf(b) - KINDS.indexOf(d) || a.localeCompare(c));
  table.show(rows);
  show(byId("latencies-none"), rows.length === 0);
}

// Lines and bars, drawn by hand; what they say is written beside them, so they are hidden from screen readers.

import { drawn, give } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 40;
const LEAST = 1e-6;
const DECADES = 7;

export function sparkline() {
  return drawn(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("path", { class: "area" }),
    drawn("path", { class: "zero" }),
    drawn("path", { class: "line" }),
  );
}

export function plot(svg, values, { fromZero = true } = {}) {
  const [area, zero, line] = svg.children;
  const there = values.filter((value) => value !== null && value !== undefined);
  if (there.length < 2) {
    for (const path of svg.children) give(path, "d", "");
    return;
  }
  let least = Math.min(...there);
  let most = Math.max(...there);
  if (fromZero) [least, most] = [Math.min(0, least), Math.max(0, most)];
  if (most === least) most = least + 1;
  const x = (at) => ((at / (values.length - 1)) * WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - 2 - ((value - least) / (most - least)) * (HEIGHT - 4)).toFixed(1);
  let path = "";
  let first = null;
  let last = null;
  values.forEach((value, at) => {
    if (value === null || value === undefined) return;
    path += `${path && at === last + 1 ? "L" : "M"}${x(at)} ${y(value)}`;
    first ??= at;
    last = at;
  });
  give(line, "d", path);
  const ground = y(Math.max(least, Math.min(most, 0)));
  give(area, "d", there.length === last - first + 1 ? `${path}L${x(last)} ${ground}L${x(first)} ${ground}Z` : "");
  give(zero, "d", least < 0 && most > 0 ? `M0 ${ground}H${WIDTH}` : "");
}

// A share of what is allowed.
export function share(cell, value, level) {
  let svg = cell.firstElementChild;
  if (svg === null) {
    svg = drawn(
      "svg",
      { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      drawn("rect", { class: "track", width: 100, height: 10 }),
      drawn("rect", { height: 10 }),
    );
    cell.append(svg);
  }
  give(svg.children[1], "width", Math.min(100, Math.max(0, value * 100)).toFixed(1));
  give(svg.children[1], "class", `fill ${level}`);
}

const place = (seconds) => (Math.min(1, Math.max(0, Math.log10(Math.max(seconds, LEAST) / LEAST) / DECADES)) * 100).toFixed(2);

// Percentiles on a logarithmic scale from a microsecond to ten seconds.
export function spread(cell, [, , p50, p95, p99, , greatest], budget) {
  let svg = cell.firstElementChild;
  if (svg === null) {
    svg = drawn(
      "svg",
      { class: "spread", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      drawn("rect", { class: "track", width: 100, height: 10 }),
      drawn("rect", { class: "p99", y: 2, height: 6 }),
      drawn("rect", { class: "p95", y: 2, height: 6 }),
      drawn("rect", { class: "p50", y: 2, height: 6 }),
      drawn("path", { class: "max" }),
      drawn("path", { class: "budget" }),
    );
    cell.append(svg);
  }
  const [, third, second, first, most, allowed] = svg.children;
  give(third, "width", place(p99));
  give(second, "width", place(p95));
  give(first, "width", place(p50));
  give(most, "d", `M${place(greatest)} 1V9`);
  give(allowed, "d", budget === undefined ? "" : `M${place(budget)} 0V10`);
}

// Where the spans of a trace are in its time.
export function falls(bars) {
  const height = Math.max(4, bars.length);
  const rows = bars.map(([begin, length, error], at) =>
    drawn("rect", {
      x: (begin * 100).toFixed(2),
      y: at + 0.1,
      width: Math.max(0.8, length * 100).toFixed(2),
      height: 0.8,
      class: error ? "error" : "",
    }),
  );
  return drawn("svg", { class: "falls", viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...rows);
}

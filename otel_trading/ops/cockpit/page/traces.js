// The traces that were kept, and each span of one.

import { byId, drawn, element, Table, write } from "./dom.js";
import { falls } from "./charts.js";
import { clock, count, duration } from "./format.js";

export const sections = ["traces", "about"];

let link = null;
let wanted = "";

const bars = new WeakMap();
const table = new Table("trace-list", [
  ["Trace", (row, key) => ({ node: (cell) => opener(cell, row, key) })],
  ["When", ({ begin }) => clock(begin), "nowrap"],
  ["Took", ({ seconds }) => duration(seconds), "number"],
  ["Spans", (row) => ({ node: (cell) => waterfall(cell, row) })],
  ["", ({ spans }) => count(spans), "number"],
  ["Why it was kept", ({ why, errors }) => ({ text: [errors ? `✖ ${errors === 1 ? "1 error" : `${errors} errors`}` : "", why].filter(Boolean).join(", "), className: errors ? "critical" : "" })],
]);
table.none = byId("traces-none");

function opener(cell, { name, symbol }, key) {
  let button = cell.firstElementChild;
  if (button === null) {
    button = element("button", { type: "button", className: "plain" });
    button.addEventListener("click", () => open(key));
    cell.append(button);
  }
  write(button, [name, symbol].filter(Boolean).join(" · "));
}

function waterfall(cell, row) {
  const key = JSON.stringify(row.bars);
  if (bars.get(cell) === key) return;
  bars.set(cell, key);
  cell.replaceChildren(falls(row.bars));
}

export function draw(state) {
  const rows = Object.entries(state.traces ?? {}).sort(([, a], [, b]) => b.number - a.number);
  table.show(rows);
  write(byId("traces-count"), rows.length ? `the last ${rows.length}` : "");
  if (state.about && !state.about.traces) {
    write(byId("traces-none"), "Traces go nowhere in this configuration (traces_exporter is none, or the engine is sdk), so none is kept to be shown here.");
  }
}

export function start(from) {
  link = from;
  link.addEventListener("trace", ({ detail }) => show(detail));
  byId("trace-close").addEventListener("click", () => byId("trace").close());
  byId("trace").addEventListener("close", () => (wanted = ""));
}

export function open(id) {
  wanted = id;
  write(byId("trace-title"), "Trace");
  write(byId("trace-about"), `${id}: asking the bot for it`);
  byId("trace-spans").replaceChildren();
  if (!byId("trace").open) byId("trace").showModal();
  byId("trace-close").focus();
  link.ask(id);
}

function show({ id, trace }) {
  if (id !== wanted) return;
  if (trace === null) {
    write(byId("trace-about"), `${id} is not among the last traces any more; it is in Jaeger, if there is one.`);
    return;
  }
  const whole = Math.max(...trace.spans.map(({ start, seconds }) => start + seconds), 1e-9);
  write(byId("trace-title"), `${trace.spans[0].name}, ${duration(whole)}`);
  const cut = trace.cut ? " (the first of more)" : "";
  write(byId("trace-about"), `${clock(trace.begin)} · ${count(trace.spans.length)} spans${cut} · ${id}`);
  byId("trace-spans").replaceChildren(...trace.spans.map((span) => row(span, whole)));
}

function row(span, whole) {
  const bar = drawn(
    "svg",
    { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "falls", "aria-hidden": "true" },
    drawn("rect", { class: span.error ? "error" : "", x: ((span.start / whole) * 100).toFixed(2), y: 2, height: 6, width: Math.max(0.4, (span.seconds / whole) * 100).toFixed(2) }),
  );
  const name = element("span", { className: "name", text: `${"· ".repeat(span.depth)}${span.error ? "✖ " : ""}${span.name}` });
  const summary = element("summary", {}, name, bar, element("span", { text: duration(span.seconds) }));
  const facts = element("dl", { className: "facts" });
  const rows = [["after", duration(span.start)], ["service", span.service], ...(span.message ? [["error", span.message]] : []), ...Object.entries(span.attributes)];
  for (const [term, value] of rows) facts.append(element("dt", { text: term }), element("dd", { text: value }));
  const events = element("ul", { className: "events" });
  for (const [after, title, attributes] of span.events) {
    const said = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
    events.append(element("li", { text: `+${duration(after)} ${title} ${said.join(" ")}` }));
  }
  return element("details", { className: "span" }, summary, facts, events);
}

// Health and alerts.

import { byId, element, give, keyed, mark, show, Table, write } from "./dom.js";
import { moment, span } from "./format.js";

export const sections = ["health", "alerts"];

const STATES = { healthy: ["✔ healthy", "ok"], degraded: ["⚠ degraded", "warning"], down: ["✖ down", "critical"] };
const ORDER = ["down", "degraded", "healthy"];
const MARKS = { CRITICAL: "✖", ERROR: "✖", WARNING: "⚠", INFO: "ℹ" };
let link = null;

const components = new Table("components", [
  ["Component", (row, key) => `${key}${row.critical ? " (critical)" : ""}`],
  ["State", ({ state }) => ({ text: STATES[state]?.[0] ?? state, className: STATES[state]?.[1] ?? "" }), "nowrap"],
  ["Why", ({ reasons }) => reasons.join("; "), "words"],
  ["Since", ({ since }) => (since ? `${moment(since)} (${span((link.now() - since) / 1000)})` : ""), "nowrap muted"],
  ["Details", ({ details, needs }) => [...Object.entries(details).map(([name, value]) => `${name} ${value}`), ...(needs.length ? [`needs ${needs.join(", ")}`] : [])].join(" · "), "words muted"],
]);

export function draw(state, from) {
  link = from;
  const { health, alerts = { active: {}, recent: {}, count: 0 } } = state;
  if (health) {
    const [text, level] = STATES[health.state] ?? [health.state, ""];
    mark(byId("health-state"), `state ${level}`);
    write(byId("health-state"), `${text}, ${health.ready ? "ready" : "not ready"}${health.reasons.length ? `: ${health.reasons.join("; ")}` : ""}`);
    components.show(Object.entries(health.components).sort(([a, { state: b }], [c, { state: d }]) => ORDER.indexOf(b) - ORDER.indexOf(d) || a.localeCompare(c)));
  }
  list("alerts-active", alerts.active);
  list("alerts-recent", alerts.recent);
  show(byId("alerts-none"), !alerts.count);
  show(byId("alerts-recent-none"), !Object.keys(alerts.recent).length);
  const shown = Object.keys(alerts.active).length;
  write(byId("alerts-count"), alerts.count > shown ? `${shown} of ${alerts.count}` : "");
  write(byId("nav-alerts"), alerts.count ? `(${alerts.count})` : "");
}

function list(id, rows) {
  const sorted = Object.entries(rows).sort(([, { place: a }], [, { place: b }]) => a - b);
  keyed(byId(id), sorted, () => element("li", {}, element("p", { className: "title" }), element("p"), element("p", { className: "fields" })), (node, alert) => {
    give(node, "data-level", alert.level);
    const [title, message, fields] = node.children;
    const over = { resolved: " · over", event: "" }[alert.state] ?? "";
    write(title, `${MARKS[alert.level] ?? ""} ${alert.level}: ${alert.title}${alert.subject ? ` (${alert.subject})` : ""}${over}`);
    write(message, alert.message);
    const named = Object.entries(alert.fields ?? {}).map(([name, value]) => `${name} ${value}`);
    write(fields, [`${moment(alert.since)}, ${span((link.now() - alert.since) / 1000)} ago`, alert.rule, ...named].filter(Boolean).join(" · "));
  });
}

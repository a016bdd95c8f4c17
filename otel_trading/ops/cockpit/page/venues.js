// Connections, and how old the data of each subscription is.

import { byId, Table, write } from "./dom.js";
import { count, duration, moment, rate, span } from "./format.js";

export const sections = ["connections", "feeds"];

const STATES = { connected: ["✔ connected", "ok"], connecting: ["⚠ connecting", "warning"], disconnected: ["✖ disconnected", "critical"] };
const ORDER = ["disconnected", "connecting", "connected"];
let link = null;

const connections = new Table("connections", [
  ["Venue", ({ venue, connection }) => [venue, connection].filter(Boolean).join(" · ")],
  ["State", ({ state }) => ({ text: STATES[state]?.[0] ?? state, className: STATES[state]?.[1] ?? "" }), "nowrap"],
  ["Since", ({ time }) => `${moment(time)} (${span((link.now() - time) / 1000)})`, "nowrap muted"],
  ["Why", ({ reason, error }) => [error, reason].filter(Boolean).join(": "), "words"],
]);
const feeds = new Table("feeds", [
  ["Subscription", ({ venue, subscription }) => `${venue} · ${subscription}`],
  ["Age", ({ age, stale }) => ({ text: `${stale ? "✖ stale, " : ""}${duration(age)}`, className: stale ? "critical" : "" }), "number"],
  ["Rate", (row) => rate(row.rate), "number"],
  ["Frames", ({ messages }) => count(messages), "number"],
  ["Of", ({ symbol, type }) => [symbol, type].filter(Boolean).join(" · "), "muted"],
]);

export function draw(state, from) {
  link = from;
  connections.show(Object.entries(state.connections ?? {}).sort(([a, { state: b }], [c, { state: d }]) => ORDER.indexOf(b) - ORDER.indexOf(d) || a.localeCompare(c)));
  const told = state.feeds ?? { rows: {}, count: 0 };
  const rows = Object.entries(told.rows);
  feeds.show(rows.sort(([a, { stale: b }], [c, { stale: d }]) => Number(d) - Number(b) || a.localeCompare(c)));
  write(byId("feeds-count"), told.count > rows.length ? `${rows.length} of ${count(told.count)}` : "");
}

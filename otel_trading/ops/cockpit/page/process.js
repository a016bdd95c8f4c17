// The process, and what became of telemetry.

import { byId, facts, Table } from "./dom.js";
import { bytes, count, duration, number, percent, span } from "./format.js";

export const sections = ["process", "delivery", "loops", "about"];

const signals = new Table("signals", [
  ["Signal", (row, key) => key],
  ["Emitted", ({ emitted }) => count(emitted), "number"],
  ["Delivered", ({ sent }) => count(sent), "number"],
  ["Pending", ({ pending }) => count(pending), "number"],
  ["Lost", ({ dropped, reasons }) => ({ text: `${count(dropped)}${reasons ? ` (${Object.keys(reasons).join(", ")})` : ""}`, className: dropped ? "warning" : "" }), "number"],
  ["Where to", ({ target }) => target ?? "nowhere", "muted"],
]);

export function draw(state) {
  const { process = {}, delivery = {}, loops = {}, about = {} } = state;
  facts(byId("process-facts"), [
    ["CPU", `${percent(process.cpu)} of one, ${process.cpus ?? "?"} there`],
    ["Memory", bytes(process.memory)],
    ["Threads", count(process.threads)],
    ["Load", number(process.load, 2)],
    ["Collections", `${count(process.collections)} of the garbage collector`],
    ...Object.entries(loops).map(([thread, { late, stalled }]) => [
      `Event loop of ${thread}`,
      { text: stalled ? `✖ stalled for ${duration(late)}` : `✔ answers, late by ${duration(late)}`, className: stalled ? "critical" : "ok" },
    ]),
    ["Process", `${about.pid} on ${about.host}`],
  ]);
  signals.show(Object.entries(delivery.signals ?? {}));
  const { spool } = delivery;
  facts(byId("telemetry-facts"), [
    ["Not reachable", (delivery.unreachable ?? []).join(", ")],
    ["Spool", spool && `${bytes(spool.disk)} on the disk, ${bytes(spool.memory)} in memory${spool.age ? `, the oldest ${span(spool.age)} old` : ""}`],
    ["Spool folder", spool?.folder],
    ["Spool trouble", spool?.trouble],
    ...(delivery.problems ?? []).map((problem, at) => [`Problem ${at + 1}`, { text: problem, className: "warning" }]),
    ...Object.entries(delivery.signals ?? {}).map(([signal, { error }]) => [`Last error of ${signal}`, error]),
  ]);
}

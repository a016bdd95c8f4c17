// The figures that are looked at first, each with its last minutes.

import { byId, element, give, keyed, write } from "./dom.js";
import { plot, sparkline } from "./charts.js";
import { bytes, count, duration, money, NOTHING, number, percent, rate } from "./format.js";

export const sections = ["money", "orders", "feeds", "process", "latency", "loops", "executions"];

const lines = new Map();
const PAST = 120;

export function draw(state) {
  const rows = [...profit(state), ...orders(state), ...timed(state), ...market(state), ...process(state)];
  keyed(byId("tiles"), rows.map((row) => [row.name, row]), make, change);
}

function make(name, row) {
  const svg = row.series ? sparkline() : "";
  if (row.series) lines.set(name, { svg, series: row.series, fromZero: row.fromZero ?? true });
  return element(
    "div",
    { className: "tile" },
    element("dt", { text: name }),
    element("dd", {}, element("div", { className: "value" }), element("div", { className: "more" }), svg),
  );
}

function change(node, { value, more = "", level = "", className = "" }) {
  give(node, "data-level", level);
  const [figure, beside] = node.lastChild.children;
  write(figure, value);
  give(figure, "class", `value ${className}`.trim());
  write(beside, more);
}

export function plotAll(history) {
  for (const { svg, series, fromZero } of lines.values()) plot(svg, (history[series] ?? []).slice(-PAST), { fromZero });
}

function* profit({ money: told }) {
  const sums = new Map();
  for (const { currency = "", session, unrealized = 0, realized = 0 } of Object.values(told?.pnl ?? {})) {
    const sum = sums.get(currency) ?? { session: 0, unrealized: 0, realized: 0 };
    sum.session += session ?? 0;
    sum.unrealized += unrealized;
    sum.realized += realized;
    sums.set(currency, sum);
  }
  for (const [currency, sum] of [...sums].slice(0, 3)) {
    yield {
      name: `P&L of the session, ${currency}`,
      value: money(sum.session),
      className: sum.session < 0 ? "loss" : sum.session > 0 ? "gain" : "",
      more: `realized ${money(sum.realized)}, open ${money(sum.unrealized)}`,
      series: `pnl ${currency}`,
    };
  }
}

function* orders({ orders: told }) {
  if (!told) return;
  yield {
    name: "Orders",
    value: rate(told.rates.orders),
    more: `${count(told.open)} open, ${count(told.submitted)} sent`,
    series: "orders",
  };
  const refused = told.rejected + told.unanswered;
  yield {
    name: "Executions",
    value: rate(told.rates.fills),
    more: `${count(told.filled)} in all${refused ? `, ${count(told.rejected)} refused` : ""}`,
    series: "fills",
    level: told.rates.rejects > 0 ? "warning" : "",
  };
}

function* timed({ latency = {} }) {
  for (const [event, name, series] of [
    ["order_submitted", "Tick to trade, 1 min", "tick_to_trade"],
    ["order_acknowledged", "Order to answer, 1 min", "acknowledged"],
  ]) {
    const window = latency[event]?.windows["60"];
    if (!latency[event]?.windows.all) continue;
    yield {
      name,
      value: window ? duration(window[2]) : NOTHING,
      more: window ? `p50; p99 ${duration(window[4])}, most ${duration(window[6])}` : "none in the last minute",
      series,
    };
  }
}

function* market({ feeds }) {
  if (!feeds?.count) return;
  yield { name: "Market data", value: rate(feeds.rate), more: `${count(feeds.count)} subscriptions`, series: "frames" };
  const ages = Object.values(feeds.rows).map(({ age }) => age ?? 0);
  yield {
    name: "Oldest data",
    value: duration(Math.max(...ages)),
    more: feeds.stale ? `${count(feeds.stale)} stale` : "none is stale",
    level: feeds.stale ? "critical" : "",
    series: "age",
  };
}

function* process({ process: told, loops = {} }) {
  const found = Object.entries(loops);
  if (found.length) {
    const [thread, { late, stalled }] = found.reduce((worst, each) => (each[1].late > worst[1].late ? each : worst));
    yield {
      name: "Event loop late by",
      value: duration(late),
      more: stalled ? `${thread} is stalled` : "answers",
      level: stalled ? "critical" : "",
      series: "late",
    };
  }
  if (!told) return;
  yield { name: "CPU", value: percent(told.cpu), more: `of one CPU; load ${number(told.load, 2)} on ${told.cpus}`, series: "cpu" };
  yield { name: "Memory", value: bytes(told.memory), more: `${count(told.threads)} threads`, series: "memory" };
}


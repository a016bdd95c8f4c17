// Profit, positions, orders and what became of them.

import { byId, show, Table, write } from "./dom.js";
import { clock, count, duration, money, NOTHING, number, price, span } from "./format.js";

export const sections = ["orders", "executions", "money", "about"];

const colour = (value) => (value < 0 ? "loss" : value > 0 ? "gain" : "");
const sum = (value, currency) => ({ text: money(value, currency), className: colour(value) });
const SIDES = { buy: "▲ buy", sell: "▼ sell" };
const side = ({ side: word }) => SIDES[word] ?? word ?? "";
let link = null;

const pnl = new Table("pnl", [
  ["Strategy", ({ strategy, currency }) => strategy ?? currency ?? "all"],
  ["Session", ({ session, currency }) => sum(session, currency), "number"],
  ["Realized", ({ realized, currency }) => sum(realized, currency), "number"],
  ["Open", ({ unrealized, currency }) => (unrealized === undefined ? NOTHING : sum(unrealized, currency)), "number"],
]);
const positions = new Table("positions", [
  ["Instrument", ({ symbol, venue }) => `${symbol ?? ""} · ${venue ?? ""}`],
  ["Quantity", ({ quantity }) => ({ text: quantity ? `${quantity > 0 ? "▲ long" : "▼ short"} ${number(Math.abs(quantity))}` : "flat", className: quantity ? "" : "muted" }), "number"],
  ["Entry", (row) => price(row.price), "number"],
  ["Worth", ({ notional, currency }) => (notional === undefined ? NOTHING : `${number(notional, 2)} ${currency ?? ""}`), "number"],
  ["Open P&L", ({ unrealized, currency }) => (unrealized === undefined ? NOTHING : sum(unrealized, currency)), "number"],
  ["Strategy", ({ strategy }) => strategy, "muted"],
]);
const balances = new Table("balances", [
  ["Account", ({ venue, account }) => [venue, account].filter(Boolean).join(" · ")],
  ["Total", ({ total, currency }) => `${number(total)} ${currency ?? ""}`, "number"],
  ["Free", ({ free }) => number(free), "number"],
  ["Used", ({ used }) => number(used), "number"],
]);
const open = new Table("open", [
  ["Order", (row, key) => key],
  ["Side", side, "nowrap"],
  ["Instrument", ({ symbol, venue }) => `${symbol ?? ""} · ${venue ?? ""}`],
  ["Done", ({ done, quantity }) => `${number(done)} of ${number(quantity)}`, "number"],
  ["Price", (row) => price(row.price), "number"],
  ["State", ({ status }) => ({ text: status, className: status === "pending_new" ? "muted" : "" }), "nowrap"],
  ["Age", ({ time }) => span((link.now() - time) / 1000), "number"],
]);
const fills = new Table("fills", [
  ["Time", ({ time }) => clock(time)],
  ["Side", side, "nowrap"],
  ["Instrument", ({ symbol, venue }) => `${symbol ?? ""} · ${venue ?? ""}`],
  ["Quantity", ({ quantity }) => number(quantity), "number"],
  ["Price", (row) => price(row.price), "number"],
  ["Slippage", ({ slippage }) => (slippage === undefined ? NOTHING : `${number(slippage, 2)} bp`), "number"],
  ["", ({ liquidity }) => liquidity, "muted"],
]);
const rejects = new Table("rejects", [
  ["Time", ({ time }) => clock(time)],
  ["Instrument", ({ symbol, venue }) => `${symbol ?? ""} · ${venue ?? ""}`],
  ["Why", ({ reason, error }) => ({ text: [...new Set([reason, error])].filter(Boolean).join(" · "), className: "critical" })],
  ["In words", ({ text }) => text, "words"],
]);
const OUTCOMES = { success: ["✔ success", "ok"], failed: ["✖ failed", "critical"], partial: ["⚠ partial", "warning"], timeout: ["⚠ timeout", "warning"] };
const trades = new Table("trades", [
  ["Time", ({ time }) => clock(time)],
  ["Strategy", ({ strategy }) => strategy],
  ["Outcome", ({ outcome }) => ({ text: OUTCOMES[outcome]?.[0] ?? outcome, className: OUTCOMES[outcome]?.[1] ?? "" }), "nowrap"],
  ["Profit", ({ profit, currency }) => sum(profit, currency), "number"],
  ["Took", ({ seconds }) => duration(seconds), "number"],
]);

const newest = (rows) => Object.entries(rows ?? {}).sort(([a], [b]) => Number(b) - Number(a));

export function draw(state, from) {
  link = from;
  const told = state.orders;
  show(byId("trading-none"), state.about !== undefined && !told);
  const line = byId("orders-sum");
  show(line, Boolean(told));
  if (told) {
    const figures = [["open", told.open], ["sent", told.submitted], ["acknowledged", told.acknowledged], ["executions", told.filled], ["canceled", told.canceled], ["expired", told.expired], ["refused", told.rejected], ["unanswered", told.unanswered], ["odd reports", told.anomalies], ["could not be reported", told.failures]];
    write(line, figures.filter(([, figure], at) => at < 4 || figure).map(([name, figure]) => `${count(figure)} ${name}`).join(" · "));
  }
  const { pnl: profit, positions: held, balances: accounts } = state.money ?? {};
  pnl.show(Object.entries(profit ?? {}).sort());
  positions.show(Object.entries(held ?? {}).sort(([a, { quantity: b }], [c, { quantity: d }]) => !b - !d || a.localeCompare(c)));
  balances.show(Object.entries(accounts ?? {}).sort());
  const rows = Object.entries(told?.rows ?? {}).sort(([, a], [, b]) => b.time - a.time);
  open.show(rows);
  write(byId("open-count"), told && told.open > rows.length ? `the newest ${rows.length} of ${count(told.open)}` : "");
  const { fills: done, rejects: refused, trades: ended, outcomes } = state.executions ?? {};
  fills.show(newest(done));
  rejects.show(newest(refused));
  trades.show(newest(ended));
  write(byId("outcomes"), Object.entries(outcomes ?? {}).map(([name, figure]) => `${count(figure)} ${name}`).join(", "));
}

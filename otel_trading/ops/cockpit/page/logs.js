// The last log lines, as they are written to files: parsed here, so that the bot need not.

import { byId, element, show, write } from "./dom.js";
import { clock, count } from "./format.js";
import { open } from "./traces.js";

export const sections = ["about"];

const LEVELS = ["DEBUG", "INFO", "INFO", "WARNING", "ERROR", "CRITICAL"];
const SHOWN = 300;
const NEAR = 40;
let link = null;
let held = false;
let missed = 0;

export function start(from) {
  link = from;
  for (const id of ["log-level", "log-text"]) byId(id).addEventListener("input", again);
  byId("log-filter").addEventListener("submit", (event) => event.preventDefault());
  byId("log").addEventListener("click", ({ target }) => target.dataset.trace && open(target.dataset.trace));
  byId("log-hold").addEventListener("click", ({ target }) => {
    held = !held;
    target.setAttribute("aria-pressed", held);
    write(target, held ? "Held: go on" : "Hold");
    if (!held) again();
  });
}

export function draw(state) {
  const none = byId("log-none");
  if (state.about && !state.about.logs) {
    write(none, "Log lines go nowhere in this configuration: OTLP for logs is off and log_file is not set.");
  }
}

export function add(from, { full, lines, missed: more }) {
  missed = full ? 0 : missed + more;
  if (held) return say();
  if (full) return again();
  append(lines.filter(wanted()));
  return say();
}

function again() {
  byId("log").replaceChildren();
  append(link.lines.filter(wanted()));
  say();
}

function wanted() {
  const level = Number(byId("log-level").value);
  const text = byId("log-text").value.toLowerCase();
  return (line) => (level === 0 || LEVELS.lastIndexOf(line.level) >= level) && (!text || JSON.stringify(line).toLowerCase().includes(text));
}

function append(lines) {
  const list = byId("log");
  const following = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  list.append(...lines.slice(-SHOWN).map(row));
  while (list.childElementCount > SHOWN) list.firstElementChild.remove();
  if (following) list.scrollTop = list.scrollHeight;
}

function say() {
  const shown = byId("log").childElementCount;
  show(byId("log-none"), shown === 0);
  write(byId("log-count"), `${count(shown)} of the last ${count(link.lines.length)} lines${missed ? `; ${count(missed)} came too fast to be shown` : ""}`);
}

function row(line) {
  const { level = "", service = "", event = "", message = "", data = {}, trace_id: trace } = line;
  const said = Object.entries(data ?? {}).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const made = element(
    "li",
    { "data-level": level },
    element("time", { text: clock(Date.parse(line.timestamp)) }),
    " ",
    element("span", { className: `level ${{ WARNING: "warning", ERROR: "critical", CRITICAL: "critical" }[level] ?? ""}`, text: String(level) }),
    " ",
    element("span", { className: "service", text: [service, event].filter(Boolean).join(" · ") }),
    ` ${message} `,
    element("span", { className: "data", text: said.join(" ") }),
  );
  if (trace && Object.hasOwn(link.state.traces ?? {}, trace)) {
    made.append(" ", element("button", { type: "button", className: "plain", text: "trace", "data-trace": trace }));
  }
  return made;
}

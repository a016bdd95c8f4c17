// Who it is, whether the line stands, and what is wrong, the worst first.

import { byId, element, give, keyed, mark, show, write } from "./dom.js";
import { clock, moment, span } from "./format.js";

export const sections = ["about", "verdict", "emergency", "risk"];

const MARKS = { ok: "✔", warning: "⚠", critical: "✖", none: "◌" };
let told = "";

export function draw(state, link) {
  const about = state.about ?? {};
  const verdict = state.verdict ?? { level: "none", count: 0, problems: [] };
  write(byId("service"), about.service ?? "otel-trading");
  const facts = [about.profile, `pid ${about.pid}`, about.host, `up ${span((link.now() - about.started) / 1000)}`];
  write(byId("about"), facts.filter(Boolean).join(" · "));
  write(byId("cost"), `otel-trading ${about.version} · engine ${about.engine} · Python ${about.python} · this page costs the bot ${about.cost} ms of CPU an update, ${about.updates} a second; watching: ${about.watchers}`);
  const section = byId("verdict");
  give(section, "data-level", verdict.level);
  give(document.documentElement, "data-level", verdict.level);
  const problems = verdict.count === 1 ? "1 problem" : `${verdict.count} problems`;
  const stopped = state.emergency?.engaged ? "TRADING IS STOPPED, " : state.risk?.trading?.halted ? "TRADING IS HALTED, " : "";
  write(byId("verdict-title"), verdict.count ? `${MARKS[verdict.level]} ${stopped}${problems}` : `${MARKS.ok} Nothing is wrong`);
  keyed(
    byId("problems"),
    verdict.problems.map((problem, at) => [`${at}`, problem]),
    () => element("li", {}, element("span", { className: "mark" }), element("a")),
    (node, [level, text, where]) => {
      write(node.children[0], MARKS[level]);
      give(node.children[0], "title", level);
      write(node.children[1], text);
      give(node.children[1], "href", `#${where}`);
    },
  );
  const stop = state.emergency ?? {};
  const halt = byId("halt");
  show(halt, Boolean(stop.engaged));
  if (stop.engaged) {
    write(halt, `Stopped at ${moment(stop.since)} (${span((link.now() - stop.since) / 1000)} ago) by ${stop.by ?? "?"}: ${stop.reason ?? "no reason given"}. No order goes out until somebody resumes.`);
  }
  announce(verdict, state.alerts);
  showLink(link);
}

// Said aloud once for each thing that is critical, not for each figure that moves.
function announce(verdict) {
  const critical = verdict.problems.filter(([level]) => level === "critical").map(([, text]) => text.replace(/\d+(\.\d+)?/g, "#"));
  const key = critical.join("\n");
  if (key === told) return;
  const before = new Set(told.split("\n"));
  told = key;
  const fresh = verdict.problems.find(([level, text]) => level === "critical" && !before.has(text.replace(/\d+(\.\d+)?/g, "#")));
  write(byId("announce"), fresh ? `Critical: ${fresh[1]}` : "");
}

export function showLink(link) {
  const { status } = link;
  const root = document.documentElement;
  give(root, "data-link", status);
  write(byId("clock"), clock(status === "live" ? link.now() : link.lastAt ?? NaN));
  write(byId("rate"), status === "live" ? `· ${link.rate.toFixed(1)} updates/s` : "");
  write(byId("link-text"), { live: "live", connecting: "connecting", lost: "connection lost" }[status]);
  const lost = byId("lost");
  show(lost, status === "lost");
  if (status === "lost") {
    const since = link.lastAt === null ? "" : ` since ${moment(link.lostSince)}`;
    write(byId("lost-title"), `Connection lost${since}.`);
    const figures = link.lastAt === null ? "" : ` What is below is as it was at ${moment(link.lastAt)}, and is NOT live.`;
    write(byId("lost-text"), `${link.why ? `${capital(link.why)}.` : ""}${figures} Trying again.`);
  }
  const level = status === "live" ? root.dataset.level : "lost";
  const service = link.state.about?.service ?? "otel-trading";
  const count = link.state.verdict?.count ?? 0;
  const title = level === "lost" ? `◌ ${status === "lost" ? "LOST" : "connecting"}` : `${MARKS[level] ?? "◌"}${count ? ` ${count}` : ""}`;
  const stopped = status === "live" && link.state.emergency?.engaged ? " STOPPED" : "";
  document.title = `${title}${stopped} · ${service}`;
  give(byId("icon"), "href", `cockpit/${level === "none" ? "lost" : level}.svg`);
  mark(byId("link"), status === "lost" ? "critical" : "");
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

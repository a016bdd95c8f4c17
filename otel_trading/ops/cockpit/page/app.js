// The page: each part is drawn anew when what it shows changed, and once a second where it says how long ago.

import { byId, write } from "./dom.js";
import { Link } from "./link.js";
import * as head from "./head.js";
import * as figures from "./figures.js";
import * as risk from "./risk.js";
import * as trading from "./trading.js";
import * as latency from "./latency.js";
import * as venues from "./venues.js";
import * as wellbeing from "./wellbeing.js";
import * as traces from "./traces.js";
import * as logs from "./logs.js";
import * as process from "./process.js";
import * as stopping from "./stopping.js";
import { start as startTheme } from "./theme.js";
import { signIn } from "./login.js";

const link = new Link();
const parts = [head, figures, risk, trading, latency, venues, wellbeing, traces, logs, process, stopping];

function draw(sections) {
  for (const part of parts) {
    if (sections !== null && !part.sections.some((name) => sections.has(name))) continue;
    try {
      part.draw(link.state, link);
    } catch (error) {
      console.error("a part of the page cannot be drawn", error);
    }
  }
}

link.addEventListener("update", ({ detail }) => {
  if (detail.full || detail.changed.size) draw(detail.changed);
  if (detail.points) figures.plotAll(link.history);
  if (detail.full || detail.lines.length || detail.missed) logs.add(link, detail);
  write(byId("seq"), link.sequence);
});
link.addEventListener("status", () => head.showLink(link));
link.addEventListener("refused", async () => {
  await signIn();
  link.connect();
});

let second = 0;
link.addEventListener("tick", () => {
  head.showLink(link);
  second = 1 - second;
  if (second && link.status === "live") draw(null);
});

startTheme();
stopping.start(link);
traces.start(link);
logs.start(link);
latency.start(link);
link.start();

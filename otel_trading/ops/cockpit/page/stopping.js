// The emergency stop and its end: a reason first, then a second yes.

import { byId, mark, show, write } from "./dom.js";
import { signIn } from "./login.js";

export const sections = ["emergency", "orders", "money"];

const SHORTEST = 3;
const TOO_SOON = 400;
let link = null;
let engaged = false;
let resuming = false;
let second = false;
let asked = 0;

export function draw(state) {
  if (!state.emergency) return;
  engaged = Boolean(state.emergency.engaged);
  const button = byId("stop");
  write(button, engaged ? "Resume trading" : "Emergency stop");
  mark(button, engaged ? "primary" : "danger");
  button.disabled = false;
}

export function start(from) {
  link = from;
  byId("stop").addEventListener("click", begin);
  byId("stopping-cancel").addEventListener("click", () => (second ? back() : byId("stopping").close()));
  byId("stopping-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!second) proceed();
    else if (performance.now() - asked > TOO_SOON) send();
  });
}

function begin() {
  resuming = engaged;
  write(byId("stopping-title"), resuming ? "Resume trading" : "Emergency stop");
  write(byId("stopping-what"), resuming ? "The bot may send orders again." : `No order goes out any more until somebody resumes. ${exposure()}`);
  byId("reason").value = "";
  back();
  byId("stopping").showModal();
  byId("reason").focus();
}

function exposure() {
  const orders = link.state.orders?.open ?? 0;
  const held = Object.values(link.state.money?.positions ?? {}).filter(({ quantity }) => quantity).length;
  return `Open now: ${orders} ${orders === 1 ? "order" : "orders"}, ${held} ${held === 1 ? "position" : "positions"}.`;
}

function back() {
  second = false;
  write(byId("stopping-error"), "");
  show(byId("stopping-first"), true);
  show(byId("stopping-second"), false);
  write(byId("stopping-go"), "Continue");
  write(byId("stopping-cancel"), "Cancel");
  byId("stopping-go").disabled = false;
  byId("reason").focus();
}

function proceed() {
  const reason = byId("reason").value.trim();
  if (reason.length < SHORTEST) {
    write(byId("stopping-error"), "Say why, in a few words.");
    byId("reason").focus();
    return;
  }
  second = true;
  asked = performance.now();
  write(byId("stopping-error"), "");
  const service = link.state.about?.service ?? "the bot";
  write(byId("stopping-confirm"), resuming ? `Let ${service} trade again? Reason: ${reason}` : `Stop ${service} now? Reason: ${reason}`);
  show(byId("stopping-first"), false);
  show(byId("stopping-second"), true);
  write(byId("stopping-go"), resuming ? "Yes, resume trading" : "Yes, stop trading now");
  write(byId("stopping-cancel"), "Back");
  byId("stopping-go").focus();
}

async function send() {
  const go = byId("stopping-go");
  go.disabled = true;
  try {
    let answer = await post();
    while (answer.status === 401) {
      await signIn();
      answer = await post();
    }
    if (!answer.ok) {
      write(byId("stopping-error"), `The bot refused (${answer.status}): ${await words(answer)}`);
      return;
    }
    byId("stopping").close();
    byId("stop").focus();
  } catch (error) {
    write(byId("stopping-error"), `The bot does not answer: ${error.message}. It was NOT ${resuming ? "resumed" : "stopped"} from here.`);
  } finally {
    go.disabled = false;
  }
}

function post() {
  return fetch(resuming ? "emergency/resume" : "emergency/stop", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ reason: byId("reason").value.trim() }),
    cache: "no-store",
    signal: AbortSignal.timeout(10_000),
  });
}

async function words(answer) {
  const text = await answer.text();
  try {
    const { detail, title } = JSON.parse(text);
    return String(detail ?? title ?? text);
  } catch {
    return text.slice(0, 200);
  }
}

// The line to the bot: states come in, and where nothing comes it says so.

const SILENT = 2500;
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;
const TOO_MANY = 1013;
const UPGRADE = 426;
const POINTS = 300;
const LINES = 1000;

export class Link extends EventTarget {
  state = {};
  history = {};
  lines = [];
  sequence = 0;
  status = "connecting";
  lostSince = null;
  lastAt = null;
  why = "";
  #socket = null;
  #pause = FIRST_PAUSE;
  #heard = performance.now();
  #ahead = 0;
  #arrivals = [];
  #retry = 0;
  #wanted = true;

  start() {
    setInterval(() => this.#look(), 500);
    document.addEventListener("visibilitychange", () => this.#look());
    this.connect();
  }

  // The bot's time, as well as it is known, in milliseconds since 1970.
  now() {
    return Date.now() + this.#ahead;
  }

  get rate() {
    const since = performance.now() - 2000;
    return this.#arrivals.filter((at) => at > since).length / 2;
  }

  ask(trace) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ trace }));
  }

  connect() {
    clearTimeout(this.#retry);
    this.#wanted = true;
    const address = new URL("live", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.#heard = performance.now();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(data);
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
  }

  #take(data) {
    const message = JSON.parse(data);
    this.#heard = performance.now();
    if (message.type === "trace") {
      this.dispatchEvent(new CustomEvent("trace", { detail: message }));
      return;
    }
    if (message.type === "delta" && message.seq !== this.sequence + 1) {
      this.#again("an update is missing");
      return;
    }
    this.sequence = message.seq;
    this.#socket.send(JSON.stringify({ ack: message.seq }));
    this.#ahead = message.time - Date.now();
    this.lastAt = message.time;
    this.#arrivals.push(this.#heard);
    while (this.#arrivals[0] < this.#heard - 3000) this.#arrivals.shift();
    const full = message.type === "full";
    if (full) {
      this.state = message.state;
      this.history = message.history;
      this.lines = [];
    } else {
      if (message.patch) merge(this.state, message.patch);
      for (const point of message.points ?? []) this.#append(point);
    }
    const lines = message.lines ?? [];
    this.lines.push(...lines);
    if (this.lines.length > LINES) this.lines.splice(0, this.lines.length - LINES);
    this.#pause = FIRST_PAUSE;
    this.#become("live");
    const changed = full ? null : new Set(Object.keys(message.patch ?? {}));
    this.dispatchEvent(
      new CustomEvent("update", { detail: { full, changed, lines, missed: message.missed ?? 0, points: full || Boolean(message.points) } }),
    );
  }

  #append(point) {
    for (const name of new Set([...Object.keys(this.history), ...Object.keys(point)])) {
      const values = (this.history[name] ??= []);
      values.push(point[name] ?? null);
      if (values.length > POINTS) values.shift();
    }
  }

  #again(why) {
    this.why = why;
    this.#socket?.close();
    this.#closed(0, why);
  }

  #closed(code, reason) {
    this.#socket = null;
    this.why = code === TOO_MANY ? reason : this.why;
    this.#become("lost");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#try(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
  }

  // A refused WebSocket does not say why; a plain request to the same address does.
  async #try() {
    if (!this.#wanted) return;
    try {
      const answer = await fetch("live", { cache: "no-store" });
      if (answer.status === 401) {
        this.#wanted = false;
        this.dispatchEvent(new Event("refused"));
        return;
      }
      if (answer.status !== UPGRADE) this.why = `the bot refuses (${answer.status})`;
    } catch {
      this.why = "the bot does not answer";
    }
    this.connect();
  }

  #look() {
    if (this.status === "live" && performance.now() - this.#heard > SILENT) {
      this.why = "nothing has come from the bot";
      this.#become("lost");
    }
    if (this.status === "lost" && this.#socket !== null && performance.now() - this.#heard > 2 * SILENT) {
      this.#again(this.why);
    }
    this.dispatchEvent(new Event("tick"));
  }

  #become(status) {
    if (status === this.status) return;
    if (status === "lost") this.lostSince = this.lastAt ?? Date.now();
    if (status === "live") this.why = "";
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}

// RFC 7386: null takes away, an object goes into what is there.
export function merge(target, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (key === "__proto__") continue;
    if (value === null) delete target[key];
    else if (typeof value === "object" && !Array.isArray(value)) {
      const there = Object.hasOwn(target, key) ? target[key] : undefined;
      if (typeof there === "object" && there !== null && !Array.isArray(there)) merge(there, value);
      else target[key] = merge({}, value);
    } else target[key] = value;
  }
  return target;
}

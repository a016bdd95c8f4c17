// Figures as people read them: with units, as many digits as matter, and an en dash where nothing is known.

export const NOTHING = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

export function count(value) {
  return known(value) ? Math.round(value).toLocaleString("en-US") : NOTHING;
}

export function number(value, digits = 8) {
  if (!known(value)) return NOTHING;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits, signDisplay: "negative" }).replace("-", "−");
}

export function price(value) {
  if (!known(value)) return NOTHING;
  const size = Math.abs(value);
  return number(value, size >= 1000 ? 2 : size >= 1 ? 4 : 8);
}

export function signed(value, digits = 2) {
  if (!known(value)) return NOTHING;
  const shown = value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "exceptZero" });
  return shown.replace("-", "−");
}

export function money(value, currency = "") {
  if (!known(value)) return NOTHING;
  const digits = Math.abs(value) < 0.01 && value !== 0 ? 6 : 2;
  return `${signed(value, digits)} ${currency}`.trim();
}

export function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 1e-6) return `${three(seconds * 1e9)} ns`;
  if (size < 1e-3) return `${three(seconds * 1e6)} µs`;
  if (size < 1) return `${three(seconds * 1e3)} ms`;
  if (size < 60) return `${three(seconds)} s`;
  return span(seconds);
}

function three(value) {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}

export function span(seconds) {
  if (!known(seconds)) return NOTHING;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function bytes(value) {
  if (!known(value)) return NOTHING;
  for (const [size, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (value >= size) return `${three(value / size)} ${unit}`;
  }
  return `${value} B`;
}

export function percent(share, digits = 0) {
  return known(share) ? `${(share * 100).toFixed(digits)} %` : NOTHING;
}

export function rate(value) {
  if (!known(value)) return NOTHING;
  return `${value >= 100 ? count(value) : number(value, 1)}/s`;
}

export function clock(milliseconds) {
  if (!known(milliseconds)) return NOTHING;
  return new Date(milliseconds).toLocaleTimeString("en-GB", { hour12: false });
}

export function moment(milliseconds) {
  if (!known(milliseconds)) return NOTHING;
  const date = new Date(milliseconds);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString("en-CA")} `;
  return `${day}${clock(milliseconds)}`;
}

// Dark, light, or as the system has it; remembered where the browser allows it.

import { byId, write } from "./dom.js";

const NEXT = { system: "dark", dark: "light", light: "system" };
const KEY = "otel-trading-theme";

export function start() {
  let theme = recalled();
  use(theme);
  byId("theme").addEventListener("click", () => {
    theme = NEXT[theme];
    use(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      return;
    }
  });
}

function recalled() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme in NEXT ? theme : "system";
  } catch {
    return "system";
  }
}

function use(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  write(byId("theme"), `Theme: ${theme}`);
}

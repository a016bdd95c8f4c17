// Asks for the token, until it is the right one.

import { byId, write } from "./dom.js";

let waiting = null;

export function signIn() {
  waiting ??= new Promise((resolve) => {
    const dialog = byId("login");
    const form = byId("login-form");
    dialog.addEventListener("close", ask);
    form.addEventListener("submit", submit);
    ask();

    // Without the token there is nothing to see behind it.
    function ask() {
      if (!dialog.open) dialog.showModal();
      byId("token").focus();
    }

    async function submit(event) {
      event.preventDefault();
      const error = byId("login-error");
      write(error, "");
      try {
        const answer = await fetch("login", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ token: byId("token").value }),
          cache: "no-store",
        });
        if (!answer.ok) {
          write(error, answer.status === 429 ? "Too many attempts; wait a moment." : "This is not the token.");
          byId("token").select();
          return;
        }
      } catch {
        write(error, "The bot does not answer.");
        return;
      }
      byId("token").value = "";
      dialog.removeEventListener("close", ask);
      form.removeEventListener("submit", submit);
      dialog.close();
      waiting = null;
      resolve();
    }
  });
  return waiting;
}

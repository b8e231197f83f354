// Splitcast: keeps a draft while it is written, and shows what follows from it.
// Without it each button of the form does the same.
"use strict";
(() => {
  const form = document.querySelector("form[data-draft]");
  if (!form) return;
  const told = form.querySelector("[data-saved]");
  const pauseMs = 500; // of typing
  let timer = 0, dirty = false, busy = false;

  const body = () => {
    const data = new URLSearchParams(new FormData(form));
    data.set("go", "save");
    return data;
  };

  // The answer is this page anew: its inputs stay as they are here, what follows
  // from them is taken over.
  const take = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    if (!page.querySelector("form[data-draft]")) throw new Error("signed out");
    page.querySelectorAll("[data-live]").forEach((from) => {
      document.getElementById(from.id)?.replaceChildren(...from.childNodes);
    });
    told.replaceChildren(...page.querySelector("[data-saved]").childNodes);
  };

  const save = async () => {
    if (busy) return;
    busy = true;
    while (dirty) {
      dirty = false;
      try {
        const answer = await fetch(form.action, { method: "POST", body: body() });
        if (!answer.ok) throw new Error(answer.status);
        take(await answer.text());
      } catch {
        told.textContent = "Not kept yet: the server does not answer, or you signed out.";
        break;
      }
    }
    busy = false;
  };

  const touched = () => {
    dirty = true;
    clearTimeout(timer);
    timer = setTimeout(save, pauseMs);
  };
  form.addEventListener("input", touched);
  form.addEventListener("submit", () => { clearTimeout(timer); dirty = false; });
  addEventListener("pagehide", () => {
    if (dirty) navigator.sendBeacon(form.action, body());
  });
})();

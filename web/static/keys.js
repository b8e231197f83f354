// Splitcast: going places from the keyboard. Everything here is a link of the
// page, too, so that nothing is lost without it.
"use strict";
(() => {
  const sequenceMs = 1200; // within which the second key of "g e" has to come
  const searchMs = 150; // of quiet before the server is asked
  const on = () => {
    try { return localStorage.getItem("keys") !== "off"; } catch { return true; }
  };
  const typing = (el) => el.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const rowLinks = () => [...document.querySelectorAll("main tbody th[scope=row] a, main article h2 a, main .timeline-row p a, main .learn-list a")]
    .filter((a) => a.offsetWidth);

  // step moves the focus to the next row of the page, or the one before.
  const step = (by) => {
    const links = rowLinks();
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  // palette is the list of places, narrowed by what is typed; experiments are
  // those that the server finds.
  const palette = (dialog) => {
    const input = dialog.querySelector("input");
    const list = dialog.querySelector("[role=listbox]");
    const note = dialog.querySelector("[role=status]");
    const places = [...list.children];
    let shown = places, at = 0, asked = 0, timer = 0;
    const mark = (i) => {
      at = Math.max(0, Math.min(shown.length - 1, i));
      shown.forEach((el, n) => el.setAttribute("aria-selected", n === at));
      input.setAttribute("aria-activedescendant", shown[at]?.id || "");
      shown[at]?.scrollIntoView({ block: "nearest" });
    };
    const show = (found) => {
      const text = input.value.trim().toLowerCase();
      shown = [...places.filter((el) => el.textContent.toLowerCase().includes(text)), ...found];
      list.replaceChildren(...shown);
      note.textContent = shown.length ? "" : "Nothing found";
      mark(0);
    };
    const option = (hit, i) => {
      const el = places[0].cloneNode(false);
      el.id = "hit-" + i;
      el.dataset.url = hit.url;
      const small = document.createElement("small");
      small.textContent = hit.key + " · " + hit.status;
      el.append(hit.name, small);
      return el;
    };
    const search = async () => {
      const mine = ++asked;
      try {
        const answer = await fetch(dialog.dataset.find + "?q=" + encodeURIComponent(input.value.trim()), { headers: { Accept: "application/json" } });
        const hits = answer.ok ? await answer.json() : [];
        if (mine === asked) show(hits.map(option));
      } catch { /* the server is away: the places are still there */ }
    };
    const go = (el) => { if (el) location.assign(el.dataset.url); };
    input.addEventListener("input", () => {
      show([]);
      asked++;
      clearTimeout(timer);
      if (input.value.trim()) timer = setTimeout(search, searchMs);
    });
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by) mark(at + by);
      else if (event.key === "Enter") go(shown[at]);
      else return;
      event.preventDefault();
    });
    list.addEventListener("click", (event) => go(event.target.closest("[role=option]")));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    return () => {
      if (dialog.open) return dialog.close();
      input.value = "";
      show([]);
      dialog.showModal();
      input.focus();
    };
  };

  document.addEventListener("DOMContentLoaded", () => {
    const finder = document.getElementById("palette");
    const help = document.getElementById("shortcuts");
    if (!finder || !help) return;
    const toggle = palette(finder);
    document.querySelectorAll("[data-palette]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", toggle);
    });
    const choice = help.querySelector("input");
    choice.checked = on();
    choice.addEventListener("change", () => {
      try { localStorage.setItem("keys", choice.checked ? "on" : "off"); } catch { /* private window: for this page only */ }
    });
    help.addEventListener("click", (event) => { if (event.target === help) help.close(); });
    const menu = document.querySelector("details.menu");
    document.addEventListener("click", (event) => { if (menu && !menu.contains(event.target)) menu.open = false; });

    let before = ""; // "g" while its second key is awaited
    let since = 0;
    const act = (key) => {
      if (before === "g" && performance.now() - since < sequenceMs) {
        before = "";
        const link = document.querySelector(`.nav [data-key="${CSS.escape(key)}"]`);
        if (link) location.assign(link.href);
        return Boolean(link);
      }
      before = key;
      since = performance.now();
      switch (key) {
        case "j": step(1); return true;
        case "k": step(-1); return true;
        case "?": help.showModal(); return true;
        case "/": {
          const field = document.querySelector("main input[type=search]");
          if (field) field.focus(); else toggle();
          return true;
        }
      }
      return false;
    };
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        if (!help.open) toggle();
        return;
      }
      if (event.key === "Escape" && menu?.open) menu.open = false;
      if (event.ctrlKey || event.metaKey || event.altKey || !on() || typing(event.target) || finder.open || help.open) return;
      if (act(event.key)) event.preventDefault();
    });
  });
})();

// Splitcast: keeps an open report up to date without losing the reader's place.
// The server tells that there is another look; the page is fetched as it would be
// by a reload, and the panels that changed are swapped. Nothing is computed here.
"use strict";
(() => {
  const status = document.querySelector("[data-live]");
  if (!status || !window.EventSource) return;
  const main = document.getElementById("main");
  const was = new Map(); // the panels as the server sent them
  const panels = (root) => [...root.children].filter((e) => e.id.startsWith("panel-"));
  const controls = (root) => [...root.querySelectorAll("a[href],button,summary,select,input:not([type=hidden]),textarea,[tabindex]")];

  // What tells one opened part from another on both pages.
  const keyOf = (e) => [
    e.className, e.closest("tbody")?.querySelector("th a")?.getAttribute("href") || "",
    e.querySelector("summary b")?.textContent || "", e.closest("[id]")?.id || "",
  ].join("|");

  // What somebody has begun to write, or is choosing, is left alone.
  const busy = (panel) => [...panel.querySelectorAll("textarea,input:not([type=hidden]),select")].some((f) =>
    f === document.activeElement ||
    (f.tagName !== "SELECT" && f.value !== f.defaultValue));

  // The row or panel at the top of the window, and how to find it again.
  const place = () => {
    const seen = (e) => { const box = e.getBoundingClientRect(); return box.bottom > 0 && box.height > 0; };
    const rowKey = (e) => e.querySelector("th a")?.getAttribute("href");
    const panel = panels(main).find(seen);
    if (!panel) return null;
    const row = [...panel.querySelectorAll("tbody")].find((e) => seen(e) && rowKey(e));
    return { top: (row || panel).getBoundingClientRect().top, find: () => {
      const now = document.getElementById(panel.id);
      return row && now && [...now.querySelectorAll("tbody")].find((e) => rowKey(e) === rowKey(row)) || now;
    } };
  };

  const swap = (old, next) => {
    const open = new Map([...old.querySelectorAll("details")].map((d) => [keyOf(d), d.open]));
    if (old.tagName === "DETAILS") next.open = old.open;
    next.querySelectorAll("details").forEach((d) => { if (open.has(keyOf(d))) d.open = open.get(keyOf(d)); });
    const focus = old.contains(document.activeElement) ? controls(old).indexOf(document.activeElement) : -1;
    const scrolled = [...old.querySelectorAll(".scroll")].map((e) => e.scrollTop);
    old.replaceWith(next);
    next.querySelectorAll(".scroll").forEach((e, i) => { e.scrollTop = scrolled[i] || 0; });
    controls(next)[focus]?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("swap", { detail: next }));
  };

  const update = async () => {
    const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const there = page.getElementById("main");
    const wanted = panels(there);
    const held = place();
    document.documentElement.style.overflowAnchor = "none"; // the place is kept here, not twice
    let before = null;
    for (const from of wanted) {
      const next = document.importNode(from, true);
      const old = document.getElementById(next.id);
      if (!old) {
        if (before) before.after(next); else main.prepend(next);
        document.dispatchEvent(new CustomEvent("swap", { detail: next }));
      } else if (was.get(next.id) !== from.outerHTML) {
        if (busy(old)) { before = old; continue; }
        swap(old, next);
      }
      was.set(next.id, from.outerHTML);
      before = document.getElementById(next.id);
    }
    const ids = new Set(wanted.map((e) => e.id));
    panels(main).forEach((e) => { if (!ids.has(e.id) && !busy(e)) e.remove(); });
    const now = held?.find();
    if (now) window.scrollBy(0, now.getBoundingClientRect().top - held.top);
    document.documentElement.style.overflowAnchor = "";
    document.title = page.title;
    status.textContent = "The report has been updated.";
  };

  panels(main).forEach((e) => was.set(e.id, e.outerHTML)); // before app.js has touched them
  let due = false;
  let running = false;
  const run = async () => {
    if (running || !due || document.hidden) return;
    due = false;
    running = true;
    try { await update(); } catch { /* the next look brings another try */ }
    running = false;
    run();
  };
  const source = new EventSource(status.dataset.live);
  source.addEventListener("look", () => { due = true; run(); });
  document.addEventListener("visibilitychange", run);
  addEventListener("pagehide", () => source.close());
})();

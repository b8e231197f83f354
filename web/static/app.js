// Splitcast: what the pages do beyond HTML. Everything works without it.
"use strict";
(() => {
  // Theme: the choice is kept here and wins over the system's.
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const stored = () => {
    try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; }
  };
  const paint = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  };
  paint(stored()); // before the first paint, so that nothing flashes

  const each = (from, selector, act) => from.querySelectorAll(selector).forEach(act);

  const themeButton = (button) => {
    const label = () => { button.textContent = "Theme: " + stored(); };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(stored()) + 1) % themes.length];
      try { localStorage.setItem("theme", next); } catch { /* private window: the choice lasts for this page */ }
      paint(next);
      label();
    });
  };

  const copyButton = (button) => {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1500);
    });
  };

  // A chart as PNG: its SVG drawn on a canvas, twice as fine as on the page.
  const pngButton = (button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const image = new Image();
      image.src = button.dataset.png;
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = 2 * image.naturalWidth;
      canvas.height = 2 * image.naturalHeight;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = button.dataset.name + ".png";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      });
    });
  };

  // A form that only chooses what to see needs no button.
  const autoForm = (form) => {
    form.addEventListener("change", (event) => {
      if (event.target.tagName === "SELECT") form.requestSubmit();
    });
    const button = form.querySelector("button");
    if (button && !form.querySelector("input:not([type=hidden])")) button.hidden = true;
  };

  // The tooltip of a chart reads the row of the table beneath it: there is one
  // truth, and the screen reader has it too. data-tip says how: {0} is the first cell.
  const plot = (figure) => {
    const table = document.getElementById(figure.dataset.plot);
    const cross = figure.querySelector(".cross");
    if (!table || !cross) return;
    const places = cross.dataset.x.split(" ").map(Number);
    const rows = [...table.tBodies[0].rows];
    const svg = figure.querySelector("svg");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    figure.append(tip);
    figure.tabIndex = 0;
    let shown = -1;
    const hide = () => {
      tip.hidden = true;
      cross.classList.remove("on");
      rows[shown]?.classList.remove("on");
      shown = -1;
    };
    const show = (i) => {
      if (i === shown || !rows[i]) return;
      hide();
      shown = i;
      const cells = [...rows[i].cells].map((c) => c.textContent.trim());
      tip.replaceChildren(...figure.dataset.tip.split("|").map((line, n) => {
        const el = document.createElement(n ? "div" : "b");
        el.textContent = line.replace(/\{(\d)\}/g, (_, cell) => cells[cell]);
        return el;
      }));
      const x = places[i] / 10;
      cross.setAttribute("x1", x + "%");
      cross.setAttribute("x2", x + "%");
      cross.classList.add("on");
      rows[i].classList.add("on");
      tip.hidden = false;
      const left = (svg.clientWidth || svg.getBoundingClientRect().width) * x / 100;
      const room = figure.clientWidth - tip.offsetWidth;
      tip.style.left = Math.max(0, Math.min(room, left + 12 > room ? left - tip.offsetWidth - 12 : left + 12)) + "px";
      tip.style.top = "28px";
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width * 1000;
      let best = 0;
      places.forEach((p, i) => { if (Math.abs(p - at) < Math.abs(places[best] - at)) best = i; });
      show(best);
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("click", () => { rows[shown]?.querySelector("a")?.click(); });
    figure.addEventListener("blur", hide);
    figure.addEventListener("focus", () => { if (figure.matches(":focus-visible")) show(places.length - 1); });
    figure.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.target !== figure) return;
      event.preventDefault();
      show(Math.max(0, Math.min(places.length - 1, shown + step)));
    });
  };

  const bind = (from) => {
    each(from, "[data-theme-toggle]", themeButton);
    each(from, "[data-copy]", copyButton);
    each(from, "[data-png]", pngButton);
    each(from, "form[data-auto]", autoForm);
    each(from, "[data-plot]", plot);
  };
  document.addEventListener("DOMContentLoaded", () => bind(document));
  document.addEventListener("swap", (event) => bind(event.detail)); // live.js
})();

// Keys, the drop area, and lists that stay still under the pointer. Every page works without it.
"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const screens = { f: "/", x: "/failures", d: "/datasets", t: "/notifications" };
  let picked = -1;
  let afterG = 0;
  let hellos = 0;

  const rows = () => all("#list tbody tr");
  const pick = (number) => {
    const found = rows();
    if (!found.length) return;
    picked = Math.max(0, Math.min(number, found.length - 1));
    found.forEach((row, at) => row.classList.toggle("picked", at === picked));
    const link = found[picked].querySelector("a.go");
    (link || found[picked]).focus();
    found[picked].scrollIntoView({ block: "nearest" });
  };
  const follow = (selector) => {
    const link = find(selector);
    if (link) link.click();
    return Boolean(link);
  };
  const keys = {
    "?": () => find("#help").showModal(),
    "/": () => find("#search") && find("#search").focus(),
    j: () => pick(picked + 1),
    k: () => pick(picked - 1),
    ArrowDown: () => rows().length && pick(picked + 1),
    ArrowUp: () => rows().length && pick(picked - 1),
    "[": () => follow("a[data-key='[']"),
    "]": () => follow("a[data-key=']']"),
    r: () => {
      const button = find("button[data-key=r]:not(:disabled)");
      if (button) button.focus();
      if (button && confirm(`${button.textContent.trim()}?`)) button.form.requestSubmit(button);
    },
    g: () => { afterG = Date.now(); },
  };
  document.addEventListener("keydown", (press) => {
    if (press.ctrlKey || press.metaKey || press.altKey) return;
    const typing = press.target.closest("input, select, textarea");
    if (press.key === "Escape") {
      if (typing) typing.blur();
      else if (location.hash.startsWith("#visit-")) location.hash = "";
      else if (!find("dialog[open]")) follow("a.back");
      return;
    }
    if (typing || find("dialog[open]")) return;
    if (Date.now() - afterG < 1500 && screens[press.key]) {
      location.href = screens[press.key];
    } else if (keys[press.key] && keys[press.key]() !== 0) {
      press.preventDefault();
    }
  });

  // Tabs of one execution keep the selected step.
  document.addEventListener("click", (click) => {
    const link = click.target.closest("a.keep");
    if (link) link.hash = location.hash;
    if (click.target.closest("#show-help")) find("#help").showModal();
    if (click.target.closest("#close-help")) find("#help").close();
    if (click.target.closest("#show-news")) reload();
  });

  const drop = find("#drop");
  if (drop) {
    const input = drop.querySelector("input[type=file]");
    const over = (on) => drop.classList.toggle("over-it", on);
    const hasFiles = (drag) => [...drag.dataTransfer.types].includes("Files");
    document.addEventListener("dragover", (drag) => {
      if (hasFiles(drag)) { drag.preventDefault(); over(true); }
    });
    document.addEventListener("dragleave", (drag) => { if (!drag.relatedTarget) over(false); });
    document.addEventListener("drop", (drag) => {
      if (!hasFiles(drag)) return;
      drag.preventDefault();
      over(false);
      input.files = drag.dataTransfer.files;
      drop.requestSubmit();
    });
    drop.addEventListener("submit", () => {
      const button = drop.querySelector("button");
      button.textContent = "Checking\u2026";
      setTimeout(() => { button.disabled = true; });
    });
  }

  // Live.
  const lamp = (on) => {
    const mark = find("#lamp");
    if (!mark) return;
    mark.className = `lamp ${on ? "on" : "off"}`;
    mark.textContent = on ? "live" : "not connected";
  };
  let held = false;
  const reload = () => {
    held = false;
    const list = find("#list");
    if (list) htmx.trigger(list, "refresh");
  };
  document.addEventListener("htmx:sseOpen", () => lamp(true));
  document.addEventListener("htmx:sseError", () => lamp(false));
  document.addEventListener("htmx:sseMessage", (message) => {
    if (message.detail.type === "hello") { if (hellos) reload(); hellos += 1; }
    if (message.detail.type === "problem") lamp(false);
  });
  const busy = (list) => list.matches(":hover") || list.contains(document.activeElement);
  document.addEventListener("htmx:beforeSwap", (swap) => {
    const list = find("#list");
    const wanted = swap.detail.requestConfig && swap.detail.requestConfig.triggeringEvent;
    const unasked = wanted && (wanted.type.startsWith("sse:") || wanted.type === "files");
    if (!list || swap.detail.target !== list || !unasked || !busy(list.querySelector("tbody") || list)) return;
    // Rows change in place; nothing moves until the pointer has left or someone asks.
    const next = new DOMParser().parseFromString(swap.detail.xhr.responseText, "text/html");
    const order = (page) => [...page.querySelectorAll("#list tbody tr")].map((row) => row.id).join();
    if (order(next) === order(document)) return;
    swap.detail.shouldSwap = false;
    held = true;
    for (const row of rows()) {
      const now = row.id && next.getElementById(row.id);
      if (now && !row.contains(document.activeElement)) row.replaceWith(document.adoptNode(now));
    }
    const counts = next.querySelector(".counts");
    if (counts && find(".counts")) find(".counts").replaceWith(document.adoptNode(counts));
    find("#news").hidden = false;
  });
  document.addEventListener("mouseout", (move) => {
    const list = find("#list");
    if (held && list && !list.contains(move.relatedTarget)) reload();
  });
  document.addEventListener("htmx:afterSwap", () => { picked = -1; });
})();

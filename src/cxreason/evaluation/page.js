// Filters, tabs and the box switch. Without this script every case, reply and box is simply visible.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const cases = all(".case");
  const chosen = { task: "", verdict: "" };

  function show() {
    let visible = 0;
    for (const one of cases) {
      one.hidden = !Object.entries(chosen).every(([key, value]) => !value || one.dataset[key] === value);
      visible += one.hidden ? 0 : 1;
    }
    for (const button of all("[data-filter]")) {
      button.setAttribute("aria-pressed", String(chosen[button.dataset.filter] === button.dataset.value));
    }
    const status = document.getElementById("shown");
    if (status) {
      status.textContent = `${visible} of ${cases.length} cases`;
      document.getElementById("empty").hidden = visible > 0;
    }
  }

  // "#task=binary&verdict=wrong" is a link to a selection.
  function readHash() {
    if (!location.hash.includes("=")) return;
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(chosen)) chosen[key] = wanted.get(key) || "";
    show();
  }

  for (const button of all("[data-filter]")) {
    button.addEventListener("click", () => {
      chosen[button.dataset.filter] = button.dataset.value;
      show();
    });
  }

  for (const button of all(".tabs button")) {
    button.addEventListener("click", () => {
      const owner = button.closest(".case");
      for (const other of all("[data-model]", owner)) {
        const same = other.dataset.model === button.dataset.model;
        if (other.tagName === "BUTTON") other.setAttribute("aria-pressed", String(same));
        else other.classList.toggle("selected", same);
      }
    });
  }

  for (const box of all(".toggle-boxes")) {
    box.addEventListener("change", () => box.closest(".case").classList.toggle("bare", !box.checked));
  }
  document.getElementById("all-boxes")?.addEventListener("change", (event) => {
    for (const box of all(".toggle-boxes")) {
      box.checked = event.target.checked;
      box.dispatchEvent(new Event("change"));
    }
  });

  addEventListener("hashchange", readHash);
  readHash();
})();

"use strict";
(() => {
  document.documentElement.classList.add("js");
  const table = document.getElementById("all-runs"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];

  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  function sort(column, direction) {
    const sign = direction === "ascending" ? 1 : -1, numeric = heads[column].classList.contains("number");
    const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en", { numeric: true });
    const rows = [...body.rows].map(row => [value(row, column), row]);
    rows.sort(([a], [b]) => (a === "") - (b === "") || sign * compare(a, b)); // What is undefined stays last.
    body.append(...rows.map(([, row]) => row));
    heads.forEach(head => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", direction);
  }
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () =>
      sort(column, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending"));
    head.append(button);
  });

  const form = document.getElementById("filter"), kinds = ["data", "method", "network"];
  function filter() {
    const fits = item => kinds.every(kind => ["", item.dataset[kind]].includes(form.elements[kind].value));
    for (const row of body.rows) row.hidden = !fits(row);
    for (const mark of document.querySelectorAll(".mark")) mark.classList.toggle("off", !fits(mark));
    document.querySelector(".scatter")?.classList.toggle("worst-alone", form.elements.asr?.checked === false);
    const shown = [...body.rows].filter(row => !row.hidden).length;
    document.getElementById("count").textContent = shown < body.rows.length ? `${shown} of ${body.rows.length} runs` : "";
  }
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter)); // The fields change after the event.
  form.addEventListener("submit", event => event.preventDefault());

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const title of document.querySelectorAll("svg title")) {
    title.parentNode.dataset.tip = title.textContent; // Else the browser shows its own beside ours.
    title.remove();
  }
  document.addEventListener("pointerover", event => {
    const mark = event.target.closest("[data-tip]"), run = event.target.closest("[data-run]")?.dataset.run;
    for (const item of document.querySelectorAll("[data-run]")) item.classList.toggle("hot", item.dataset.run === run);
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const at = mark.getBoundingClientRect(), left = at.left + at.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${at.top > tip.offsetHeight + 12 ? at.top - tip.offsetHeight - 8 : at.bottom + 8}px`;
  });
})();

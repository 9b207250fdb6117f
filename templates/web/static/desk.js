// Comfort for the desk: every page does all it can without this file.
"use strict";

// The studio shows a saved template or sample at once.
const studio = document.querySelector("[data-changes]");
if (studio) {
  const events = new EventSource(studio.dataset.changes);
  events.addEventListener("message", () => location.reload());
  addEventListener("pagehide", () => events.close());
}

// A choice in a form that shows things is shown without pressing its button.
for (const form of document.querySelectorAll("form[data-shows-at-once]")) {
  form.addEventListener("change", (event) => {
    if (event.target.closest("select:not([multiple]), input[type=datetime-local]")) form.requestSubmit();
  });
}

// What cannot be taken back is asked once more.
for (const form of document.querySelectorAll("form[data-sure]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.sure)) event.preventDefault();
  });
}

// A table with data-chart is drawn above itself; the table stays, for those who rather read it.
for (const table of document.querySelectorAll("table[data-chart]")) {
  if (!window.Chart) break;
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const colours = ["--link", "--gold", "--muted", "--warn-ink", "--accent", "--tint-ink", "--rule"].map(token);
  const heads = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.dataset.n || cell.textContent));
  if (!rows.length) continue;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const box = document.createElement("div");
  box.className = "plot";
  box.append(canvas);
  table.closest(".card").prepend(box);
  box.before(table.closest(".card").querySelector("h2"));
  const lies = table.dataset.chart === "lying";
  const axis = { stacked: true, ticks: { color: token("--muted"), precision: 0 }, grid: { color: token("--rule") } };
  new Chart(canvas, {
    type: "bar",
    data: {
      labels: rows.map((row) => row[0]),
      datasets: heads.map((label, at) => ({
        label, data: rows.map((row) => Number(row[at + 1])), backgroundColor: colours[at % colours.length],
        maxBarThickness: 56,
      })),
    },
    options: {
      indexAxis: lies ? "y" : "x",
      animation: false,
      maintainAspectRatio: false,
      scales: { x: axis, y: axis },
      plugins: { legend: { display: heads.length > 1, labels: { color: token("--ink") } } },
    },
  });
}

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

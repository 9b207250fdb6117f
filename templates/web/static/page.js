// Comfort only: every page does all it can without this file.
"use strict";

// A list with a search field beside it (data-filter names the list) narrows while one types.
for (const field of document.querySelectorAll("[data-filter]")) {
  const list = document.getElementById(field.dataset.filter);
  if (!list) continue;
  const rows = [...list.children].map((row) => [row, (row.dataset.name || row.textContent).toLowerCase()]);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [row, name] of rows) row.hidden = !words.every((word) => name.includes(word));
  });
}

// A form sends once, however often its button is pressed.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (event.submitter?.formTarget) return; // fills a frame of this page, as often as one likes
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
}

// A form with a button that fills a frame (data-live names it) presses it whenever a choice changes.
for (const form of document.querySelectorAll("form[data-live]")) {
  const button = document.getElementById(form.dataset.live);
  let wait;
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => form.requestSubmit(button), 700);
  });
}

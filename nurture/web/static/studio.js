// The studio's only script beside htmx: live reload, keys, and filters. Everything else is links and forms.
"use strict";

const body = document.body;
const opened = new Set();

// --- live reload: fetch this page again and put it in place; what was unfolded stays unfolded

const live = document.getElementById("live");
function say(text, well) {
  live.textContent = text;
  live.classList.toggle("well", well);
}

const changes = new EventSource(body.dataset.changes);
let lost = false;
changes.addEventListener("open", () => {
  say("live", true);
  if (lost) location.reload();
});
changes.addEventListener("error", () => {
  say("not connected", false);
  lost = true;
});
for (const kind of ["files", "inbox"]) changes.addEventListener(kind, () => refresh(kind));
window.addEventListener("pagehide", () => changes.close());

function refresh(kind) {
  const page = document.getElementById("page");
  if (!page.dataset.on.split(" ").includes(kind)) return;
  htmx.ajax("GET", page.dataset.here, { target: "#page", select: "#page", swap: "outerHTML" });
}

document.addEventListener("toggle", (event) => {
  if (event.target.id) opened[event.target.open ? "add" : "delete"](event.target.id);
}, true);
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  document.querySelectorAll("[data-filter]").forEach(filter);
});
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Studio-Token"] = body.dataset.token;
});
document.addEventListener("htmx:responseError", (event) => {
  const told = event.detail.xhr.responseText;
  let detail = "That did not work.";
  try { detail = JSON.parse(told).detail || detail; } catch { /* not ours */ }
  const target = event.detail.target;
  if (target && target.getAttribute("role") === "status") target.textContent = detail;
});

// --- keys: an element with data-key is pressed, or focused where one can write in it

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select, [contenteditable]");
  if (writing) {
    if (event.key === "Escape") writing.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const found = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.matches("input, select")) found.focus();
  else found.click();
});

// --- filters: an input with data-filter hides what does not have its text

function filter(input) {
  const wanted = input.value.trim().toLowerCase();
  for (const each of document.querySelectorAll(input.dataset.filter)) {
    each.hidden = !each.textContent.toLowerCase().includes(wanted);
  }
}
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) filter(event.target);
});

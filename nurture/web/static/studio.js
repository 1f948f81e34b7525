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

// --- the line of time: an event is dragged, or moved with the arrow keys; the form says where it is, and is sent

let held = null; // the event under the pointer
let shown = null; // the id of the event to focus again when the page has come back

function hoursOf(mark, x) {
  const scale = mark.ownerSVGElement.getBoundingClientRect().width / mark.ownerSVGElement.viewBox.baseVal.width;
  return Number(mark.dataset.hours) + x / scale / Number(mark.ownerSVGElement.dataset.perHour);
}
function move(mark, hours) {
  const rows = document.querySelectorAll("#imagine .told");
  const row = rows[Number(mark.dataset.number)];
  if (hours === null) row.querySelector("[name=event]").value = "";
  else row.querySelector("[name=at]").value = `+${Math.max(0, Math.round(hours))}h`;
  shown = hours === null ? null : mark.id;
  document.getElementById("imagine").requestSubmit();
}
document.addEventListener("pointerdown", (event) => {
  const mark = event.target.closest(".moved");
  if (!mark || event.button) return;
  held = { mark, x: event.clientX };
  mark.setPointerCapture(event.pointerId);
  mark.focus();
  event.preventDefault();
});
document.addEventListener("pointermove", (event) => {
  if (!held) return;
  const svg = held.mark.ownerSVGElement;
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  held.mark.setAttribute("transform", `translate(${(event.clientX - held.x) / scale} 0)`);
});
document.addEventListener("pointerup", (event) => {
  if (!held) return;
  const { mark, x } = held;
  held = null;
  if (Math.abs(event.clientX - x) > 2) move(mark, hoursOf(mark, event.clientX - x));
});
document.addEventListener("keydown", (event) => {
  const mark = event.target.closest(".moved");
  if (!mark) return;
  const step = event.shiftKey ? 24 : 1;
  const way = { ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step }[event.key];
  if (way) move(mark, Number(mark.dataset.hours) + way);
  else if (event.key === "Delete" || event.key === "Backspace") move(mark, null);
  else return;
  event.preventDefault();
});
document.addEventListener("htmx:afterSettle", () => {
  if (shown) document.getElementById(shown)?.focus();
  shown = null;
});

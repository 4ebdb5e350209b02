// What htmx does not do: show and hide a password, dismiss a toast, and say
// when the server does not answer. Listeners sit on the document, so they hold
// for whatever is swapped in later.

document.documentElement.classList.add("js");

const toasts = () => document.getElementById("toasts");

document.addEventListener("click", (event) => {
  const reveal = event.target.closest("[data-reveal]");
  if (reveal) {
    const input = document.getElementById(reveal.dataset.reveal);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    reveal.textContent = shown ? "Show" : "Hide";
    reveal.setAttribute("aria-pressed", String(!shown));
    input.focus();
  }
  event.target.closest("[data-dismiss]")?.parentElement.remove();
});

// A password is sent, and remembered by the browser, as a password.
document.addEventListener("submit", (event) => {
  for (const reveal of event.target.querySelectorAll('[data-reveal][aria-pressed="true"]')) reveal.click();
}, true);

// Good news leaves by itself, unless the person is reading it; a problem stays.
const leave = (toast) => setTimeout(() => {
  if (toast.matches(":hover, :focus-within")) leave(toast);
  else toast.remove();
}, 8000);
const arrive = (node) => node.matches?.(".toast:not(.alert)") && leave(node);
toasts().querySelectorAll(".toast").forEach(arrive);
new MutationObserver((changes) => {
  for (const change of changes) change.addedNodes.forEach(arrive);
}).observe(toasts(), { childList: true });

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.response) return; // the server did answer
  toasts().replaceChildren(document.getElementById("offline").content.cloneNode(true));
});

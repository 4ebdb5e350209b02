// What htmx does not do: show and hide a password, dismiss a toast, keep the
// keyboard's place, and say when the server does not answer. Listeners sit on
// the document, so they hold for whatever is swapped in later.

document.documentElement.classList.add("js");

const main = () => document.getElementById("main");

const reveal = (button, show) => {
  document.getElementById(button.dataset.reveal).type = show ? "text" : "password";
  button.textContent = show ? "Hide" : "Show";
  button.ariaLabel = button.ariaLabel.replace(/^\w+/, button.textContent);
};

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-reveal]");
  if (button) {
    const input = document.getElementById(button.dataset.reveal);
    reveal(button, input.type === "password");
    input.focus();
  }
  const toast = target.closest("[data-dismiss]")?.parentElement;
  if (toast) {
    toast.remove();
    (document.querySelector(".toast [data-dismiss]") ?? main()).focus({ preventScroll: true });
  }
});

// A password is sent, and remembered by the browser, as a password.
document.addEventListener("submit", ({ target }) => {
  for (const button of target.querySelectorAll("[data-reveal]")) reveal(button, false);
}, true);

// A check is not asked for a field that has gone while it waited for others, nor
// for one whose form is on its way: that may end what the check needs.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement } = event.detail.ctx;
  const form = sourceElement.parentElement?.closest("form");
  if (!sourceElement.isConnected || form?.querySelector(".submit:disabled")) event.preventDefault();
});

// What htmx takes away takes the focus along. It goes on at the button of the
// new form, in the next row, or else at the page's content.
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const from = ctx.sourceElement;
  ctx.focused = from.contains(document.activeElement);
  const row = from.closest(".rows > li");
  ctx.next = row?.nextElementSibling ?? row?.previousElementSibling;
});
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  if (!ctx.focused || document.activeElement !== document.body) return;
  const places = [ctx.sourceElement, ctx.next].filter((place) => place?.isConnected);
  const button = places.map((place) => place.querySelector(".submit, button")).find((found) => found);
  (button ?? main()).focus({ preventScroll: true });
});

// Good news leaves by itself, unless the person is reading it; a problem stays.
const leave = (toast) => setTimeout(() => {
  if (toast.matches(":hover, :focus-within")) leave(toast);
  else toast.remove();
}, 8000);
const notices = document.getElementById("notices");
for (const toast of notices.children) leave(toast);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) addedNodes.forEach((node) => node.matches?.(".toast") && leave(node));
}).observe(notices, { childList: true });

document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx?.response) return; // the server did answer
  document.getElementById("alerts").replaceChildren(document.getElementById("offline").content.cloneNode(true));
});

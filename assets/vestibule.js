// What htmx doesn't do: show and hide passwords, dismiss toasts, keep the keyboard
// focus, and report that the server doesn't answer. Listeners are on the document, so
// they also work for content that is swapped in later.

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

// Hide passwords on submit: browsers don't offer to save a text input as a password.
document.addEventListener("submit", ({ target }) => {
  for (const button of target.querySelectorAll("[data-reveal]")) reveal(button, false);
}, true);

// Skip the check of a field that was removed while the check was queued, or whose form
// is being sent: the form may end the session or link that the check needs.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement } = event.detail.ctx;
  const form = sourceElement.parentElement?.closest("form");
  if (!sourceElement.isConnected || form?.querySelector(".submit:disabled")) event.preventDefault();
});

// When htmx removes the focused element, move the focus to the button of the new form,
// to the next row, or to the page's content.
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

// Remove a notice after a while, unless the user is reading it. Alerts stay.
const expire = (toast) => setTimeout(() => {
  if (toast.matches(":hover, :focus-within")) expire(toast);
  else toast.remove();
}, 8000);
const notices = document.getElementById("notices");
for (const toast of notices.children) expire(toast);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) addedNodes.forEach((node) => node.matches?.(".toast") && expire(node));
}).observe(notices, { childList: true });

document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx?.response) return; // the server answered
  document.getElementById("alerts").replaceChildren(document.getElementById("offline").content.cloneNode(true));
});

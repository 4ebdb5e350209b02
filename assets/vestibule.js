// What htmx doesn't do: show and hide passwords and keep them after an error, ask in a
// dialog, copy and print, write times in the user's zone, count down, replace and dismiss
// toasts, keep the keyboard focus, warn of Caps Lock, and report that the server doesn't
// answer. Listeners are on the document, so they also work for content that is swapped in
// later.

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
  const copy = target.closest("[data-copy]");
  if (copy) {
    const lines = [...document.getElementById(copy.dataset.copy).children].map((line) => line.textContent);
    navigator.clipboard?.writeText(lines.join("\n")).then(() => (copy.textContent = "Copied"));
  }
  if (target.closest("[data-print]")) print();
  const toast = target.closest("[data-dismiss]")?.parentElement;
  if (toast) {
    toast.remove();
    main().focus({ preventScroll: true });
  }
});

// Hide passwords on submit: browsers don't offer to save a text input as a password. Of
// the form's buttons, all of which htmx disables, the pressed one shows the spinner.
document.addEventListener("submit", ({ target, submitter }) => {
  for (const button of target.querySelectorAll("[data-reveal]")) reveal(button, false);
  const pressed = submitter ?? target.querySelector(".submit");
  for (const button of target.querySelectorAll(".submit")) button.classList.toggle("pressed", button === pressed);
}, true);

// Warn of Caps Lock while someone types a password.
const warnOfCaps = (event) => {
  const warning = event.target.closest?.(".field")?.querySelector(".caps");
  if (!warning) return;
  const on = event.type !== "focusout" && event.getModifierState?.("CapsLock");
  const text = on ? "Caps Lock is on" : "";
  if (warning.textContent !== text) warning.textContent = text;
};
for (const type of ["keydown", "keyup", "focusout"]) document.addEventListener(type, warnOfCaps);

// Skip the check of a field that was removed while the check was queued, or whose form
// is being sent: the form may end the session or link that the check needs.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement } = event.detail.ctx;
  const form = sourceElement.parentElement?.closest("form");
  if (!sourceElement.isConnected || form?.querySelector(".submit:disabled")) event.preventDefault();
});

// When htmx removes the focused element, move the focus to the button of the new form,
// to the next row, or to the page's content. A button that htmx disabled, which takes the
// focus from it, gets it back: it is enabled just after this event.
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const from = ctx.sourceElement;
  ctx.focused = from.contains(document.activeElement);
  const row = from.closest(".rows > li");
  ctx.next = row?.nextElementSibling ?? row?.previousElementSibling;
});
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => queueMicrotask(() => {
  if (!ctx.focused || document.activeElement !== document.body) return;
  const places = [ctx.sourceElement, ctx.next].filter((place) => place?.isConnected);
  const button = places.map((place) => place.querySelector(".pressed") ?? place.querySelector(".submit") ?? place.querySelector("button:not(.reveal)")).find((found) => found);
  (button ?? main()).focus({ preventScroll: true });
}));

// Keep a search or filter in the URL, for Back, reload and sharing. htmx would only do so
// if it took over the whole history.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (!ctx.replace || ctx.response.status >= 400) return;
  const url = new URL(ctx.request.action, location);
  for (const [name, value] of [...url.searchParams]) if (!value) url.searchParams.delete(name);
  history.replaceState(null, "", url);
});

// Say in the title that a form was refused, as the server does when it answers with a page.
// Once a form is gone, htmx takes what was around it for the source.
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  ctx.sentForm = ctx.sourceElement.matches("form[novalidate]");
});
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (!ctx.sentForm) return;
  const title = document.title.replace(/^Error: /, "");
  document.title = (ctx.response?.status >= 400 ? "Error: " : "") + title;
});

// The server never sends passwords back. When a form comes back with an error, keep those
// that were typed, except a current password that is wrong.
const passwords = (root) => [...root.querySelectorAll("[autocomplete$=-password]")].filter(({ id }) => id);
document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
  const { sourceElement, response } = ctx;
  if (response?.status >= 400 && sourceElement.matches("form")) ctx.passwords = passwords(sourceElement);
});
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  for (const { id, value, isConnected } of ctx.passwords ?? []) {
    const input = document.getElementById(id);
    if (isConnected || !value || input?.matches("[autocomplete=current-password]:is([autofocus], [aria-invalid=true])") !== false) continue;
    input.value = value;
    const again = input.closest(".field").querySelector("[data-again]");
    if (again) input.setAttribute("aria-describedby", input.getAttribute("aria-describedby").replace(again.id, "").trim());
    again?.remove();
    input.dispatchEvent(new Event("input", { bubbles: true })); // for the strength meter
  }
});

// The dialog asks to sign in again, or whose form it is. Then the page sends the request
// that had to wait: nothing that was typed has left it.
const dialog = document.getElementById("dialog");
let waiting;
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target !== "#dialog") return;
  waiting = ctx.sourceElement;
  if (!dialog.open) dialog.showModal();
});
document.addEventListener("signed-in", () => {
  dialog.close();
  if (!waiting?.isConnected) return;
  if (waiting.matches("form")) waiting.requestSubmit();
  else waiting.click();
});
dialog.addEventListener("close", () => dialog.replaceChildren());

// Show one toast at a time: a new one replaces the last. Remove good news and notes after
// a while, unless the user is reading them. Problems stay.
const expire = (toast) => setTimeout(() => {
  if (toast.matches(":hover, :focus-within")) expire(toast);
  else toast.remove();
}, 8000);
const show = (toast) => {
  const replaced = [...document.querySelectorAll("#toasts .toast")].filter((other) => other !== toast);
  if (replaced.some((other) => other.contains(document.activeElement))) toast.querySelector("[data-dismiss]").focus();
  for (const other of replaced) other.remove();
  if (!toast.matches(".problem")) expire(toast);
};
const toasts = document.getElementById("toasts");
for (const toast of toasts.querySelectorAll(".toast")) {
  show(toast);
  // Screen readers announce a change of this region, not what the page came with.
  const text = toast.querySelector("#notices p");
  if (text) setTimeout(() => text.replaceWith(text.cloneNode(true)), 500);
}
new MutationObserver((changes) => {
  const added = changes.flatMap(({ addedNodes }) => [...addedNodes]).filter((node) => node.matches?.(".toast"));
  if (added.at(-1)?.isConnected) show(added.at(-1));
}).observe(toasts, { childList: true, subtree: true });

// Ask before an action in the page's own dialog. Its button says what the action's does.
document.addEventListener("htmx:confirm", (event) => {
  const { ctx, issueRequest, dropRequest } = event.detail;
  const dialog = document.getElementById("confirm");
  event.preventDefault();
  document.getElementById("confirm-question").textContent = ctx.confirm;
  document.getElementById("confirm-means").textContent = ctx.sourceElement.querySelector("[name=confirm_means]")?.value ?? "";
  dialog.querySelector(".grave").textContent = ctx.sourceElement.querySelector("[name=confirm_label]").value;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => (dialog.returnValue ? issueRequest() : dropRequest()), { once: true });
  dialog.showModal();
});

// Write times in the user's zone: near ones as a distance, with the exact time as title.
const units = [["minute", 60], ["hour", 3600], ["day", 86400]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const midnight = (at) => new Date(at).setHours(0, 0, 0, 0) / 1000;
const distance = (at, seconds) => {
  if (Math.abs(seconds) < 45) return seconds < 0 ? "just now" : "in a moment";
  const [unit, size] = units.findLast(([, size]) => Math.abs(seconds) >= size) ?? units[0];
  // "Yesterday" is a day of the calendar.
  const count = unit === "day" ? Math.round((midnight(at) - midnight(Date.now())) / size) : Math.trunc(seconds / size);
  return relative.format(count || Math.sign(seconds), unit);
};
const writeTimes = () => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const { exact, day: onlyDay, clock: onlyClock } = time.dataset;
    const near = onlyClock === undefined ? exact === undefined && Math.abs(seconds) < 7 * 86400 : midnight(at) === midnight(Date.now());
    const format = onlyClock !== undefined ? clock : onlyDay !== undefined ? day : absolute;
    const text = near ? distance(at, seconds) : format.format(at);
    if (near || format !== absolute) time.title = absolute.format(at);
    if (time.textContent !== text) time.textContent = text;
  }
};
writeTimes();
setInterval(writeTimes, 30_000);
document.addEventListener("htmx:after:swap", writeTimes);

// Count down how long to wait before trying again. The sentence ends with it.
const countDown = (element) => {
  const end = Date.now() + (element.dataset.wait - 1) * 1000;
  const write = () => {
    const seconds = Math.ceil((end - Date.now()) / 1000);
    const [unit, size] = seconds > 90 ? units.findLast(([, size]) => seconds >= size) : ["second", 1];
    const count = Math.round(seconds / size);
    const wait = seconds > 0 ? `in ${count} ${unit}${count === 1 ? "" : "s"}` : "now";
    element.textContent = element.textContent.replace(/\b(?:in [^.]+|now)\.$/, `${wait}.`);
    element.ariaLive = "off"; // it was announced in its first second
    if (seconds > 0 && element.isConnected) setTimeout(write, 1000);
  };
  write();
};
const countDownAll = () => {
  for (const element of document.querySelectorAll("[data-wait]:not([aria-live=off])")) setTimeout(countDown, 1000, element);
};
countDownAll();
document.addEventListener("htmx:after:swap", countDownAll);

// Say that the server doesn't answer, or that something else answers in its place, such
// as a proxy. The check of a field fails silently.
const reportOffline = ({ request }) => {
  if (/[?&]field=/.test(request.action)) return;
  document.getElementById("alerts").replaceChildren(document.getElementById("offline").content.cloneNode(true));
};
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx && !ctx.response) reportOffline(ctx);
});
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  if (/HX-Request/i.test(ctx.response.headers.get("Vary"))) return; // the site's own answer
  event.preventDefault();
  reportOffline(ctx);
});

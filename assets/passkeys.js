// What a page needs a script for to use passkeys: to ask the authenticator when a button
// with data-passkey is pressed, to offer passkeys in the browser's autofill, and to tell
// password managers which passkeys are good. The server checks, and says what went wrong.

const supported = "PublicKeyCredential" in window && "credentials" in navigator;
document.documentElement.classList.toggle("passkeys-unsupported", !supported);

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt());
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// Browsers before 2025 lack parseCreationOptionsFromJSON and its kind, and some password
// managers toJSON.
const withBytes = (options) => {
  const keys = (list) => list?.map((key) => ({ ...key, id: decode(key.id) }));
  return {
    ...options,
    challenge: decode(options.challenge),
    ...(options.user && { user: { ...options.user, id: decode(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: keys(options.excludeCredentials) }),
    ...(options.allowCredentials && { allowCredentials: keys(options.allowCredentials) }),
  };
};
const parsers = { create: "parseCreationOptionsFromJSON", get: "parseRequestOptionsFromJSON" };
const parse = (what, options) => PublicKeyCredential[parsers[what]]?.(options) ?? withBytes(options);
const serialize = (credential) => {
  if (credential.toJSON) return credential.toJSON();
  const { id, rawId, type, authenticatorAttachment, response } = credential;
  const fields = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const encoded = Object.fromEntries(fields.filter((name) => response[name]).map((name) => [name, encode(response[name])]));
  const transports = response.getTransports?.();
  return { id, rawId: encode(rawId), type, authenticatorAttachment, clientExtensionResults: {}, response: { ...encoded, ...(transports && { transports }) } };
};

// The browser takes one request at a time: a button ends that of the autofill, and waits
// until it has ended.
let running, last;
const ask = async (button, extra) => {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const turn = last;
  last = (async () => {
    await turn?.catch(() => {});
    const names = ["signed_in_as", ...(button.dataset.with?.split(" ") ?? [])];
    const body = new URLSearchParams(names.map((name) => [name, button.form.elements[name]?.value ?? ""]));
    const answer = await fetch(button.dataset.options, { method: "POST", body, signal });
    if (!answer.ok) throw new DOMException("", "OptionsError"); // sent with the form, the server says why
    const what = button.dataset.passkey;
    const publicKey = parse(what, await answer.json());
    return navigator.credentials[what]({ publicKey, signal, ...extra });
  })();
  try {
    return await last;
  } finally {
    if (running?.signal === signal) running = undefined;
  }
};
const inputs = ({ form }) => ["credential", "problem"].map((name) => form.querySelector(`[data-${name}]`));
const send = (button, credential) => {
  inputs(button)[0].value = JSON.stringify(serialize(credential));
  button.form.requestSubmit(button);
};

// Ask when the button is pressed, and then send the form with the answer or the problem.
// htmx must not see the first press.
document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button?.dataset.passkey) return;
  const [credential, problem] = inputs(button);
  if (credential.value || problem.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  button.disabled = true;
  try {
    credential.value = JSON.stringify(serialize(await ask(button)));
  } catch (error) {
    problem.value = error.name;
  }
  button.disabled = false;
  if (button.isConnected) button.form.requestSubmit(button);
}, true);

// Offer passkeys in the autofill of the field for the username, until a button is pressed.
// The challenge is renewed before it expires, when somebody looks. Meanwhile, htmx may
// have replaced the form.
const renewal = 4 * 60_000;
const autofill = () => document.querySelector("[data-autofill]");
const offer = async () => {
  if (!autofill() || !(await PublicKeyCredential.isConditionalMediationAvailable?.()) || running) return;
  if (document.hidden) return document.addEventListener("visibilitychange", offer, { once: true });
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    running.abort();
  }, renewal);
  try {
    const credential = await ask(autofill(), { mediation: "conditional" });
    if (autofill()?.disabled === false) send(autofill(), credential); // else the form is on its way
  } catch {
    // The person signs in another way, or it has expired. The button says what is wrong.
  }
  clearTimeout(timer);
  if (expired) offer();
};

// Password managers drop passkeys that the site doesn't know, and rename the others.
const signal = () => {
  for (const element of document.querySelectorAll("[data-signal]")) {
    const { rpId, userId, allAcceptedCredentialIds, name, displayName, credentialId } = JSON.parse(element.dataset.signal);
    const send = (what, details) => PublicKeyCredential[what]?.({ rpId, ...details }).catch(() => {});
    if (credentialId) send("signalUnknownCredential", { credentialId });
    if (allAcceptedCredentialIds) send("signalAllAcceptedCredentials", { userId, allAcceptedCredentialIds });
    if (name) send("signalCurrentUserDetails", { userId, name, displayName });
    element.remove();
  }
};

// Tell the server that it may offer to add a passkey of this device.
const tellAble = async () => {
  const field = document.querySelector("[data-passkey-able]");
  if (field && await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.()) field.value = "1";
};

const tell = () => {
  signal();
  tellAble();
};
if (supported) {
  tell();
  document.addEventListener("htmx:after:swap", tell);
  offer();
}

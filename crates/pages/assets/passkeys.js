// Passkeys, where the browser has them. Every page works without this file.
"use strict";

const able = typeof PublicKeyCredential === "function" && navigator.credentials;

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  buffer &&
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

/** The options as the browser wants them: bytes where JSON has base64url. */
const revive = (options) => {
  const named = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const made = { ...options, challenge: bytes(options.challenge) };
  if (options.user) made.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) made.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) made.allowCredentials = named(options.allowCredentials);
  return made;
};

/** A credential as JSON (WebAuthn Level 3, RegistrationResponseJSON and AuthenticationResponseJSON). */
const written = ({ id, rawId, type, response, authenticatorAttachment }) => ({
  id,
  rawId: text(rawId),
  type,
  authenticatorAttachment,
  clientExtensionResults: {},
  response: {
    clientDataJSON: text(response.clientDataJSON),
    attestationObject: text(response.attestationObject),
    transports: response.getTransports?.(),
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    userHandle: text(response.userHandle),
  },
});

class Refused extends Error {}

const post = async (path, csrf, body) => {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf": csrf },
    body: JSON.stringify(body),
    credentials: "same-origin",
  });
  const said = await answer.json().catch(() => ({}));
  if (said.location) location.assign(said.location);
  if (!answer.ok) throw new Refused(said.problem ?? "");
  return said;
};

/** What waits in the background for a passkey picked from a field; there is one at a time. */
let waiting;

/** A whole ceremony: begin at the server, ask the browser, finish at the server. */
const ceremony = async (box, conditional) => {
  waiting?.abort();
  const mine = new AbortController();
  if (conditional) waiting = mine;
  const path = box.dataset.passkey;
  const form = box.parentElement.querySelector("form[id]");
  const fields = form ? Object.fromEntries(new FormData(form)) : {};
  for (const secret of ["csrf", "password", "new_password"]) delete fields[secret];
  const begun = await post(`${path}/begin`, box.dataset.csrf, fields);
  if (!begun.publicKey) return;
  const publicKey = revive(begun.publicKey);
  const credential =
    path === "/passkeys/sign-in"
      ? await navigator.credentials.get({
          publicKey,
          signal: mine.signal,
          ...(conditional && { mediation: "conditional" }),
        })
      : await navigator.credentials.create({ publicKey });
  await post(`${path}/finish`, box.dataset.csrf, { ...fields, credential: written(credential) });
};

/** What is said about a ceremony that failed. */
const said = (box, error) => {
  if (error instanceof Refused && error.message) return error.message;
  // Closing the browser's dialogue is an answer, not a mistake.
  if (error.name === "NotAllowedError" || error.name === "AbortError") return "";
  return error.name === "InvalidStateError" ? box.dataset.exists : box.dataset.failed;
};

for (const box of document.querySelectorAll("[data-passkey]")) {
  const button = box.querySelector("button");
  const status = box.querySelector(".status");
  if (!able) {
    box.classList.add("cannot");
    continue;
  }
  box.classList.add("can");

  button.addEventListener("click", async () => {
    const form = box.parentElement.querySelector("form[id]");
    if (box.dataset.passkey === "/passkeys/sign-up" && !form.reportValidity()) return;
    button.setAttribute("aria-busy", "true");
    status.textContent = box.dataset.working;
    try {
      await ceremony(box, false);
      status.textContent = "";
    } catch (error) {
      status.textContent = said(box, error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });

  if (box.dataset.passkey === "/passkeys/sign-in" && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable()
      .then((can) => can && ceremony(box, true))
      .catch((error) => {
        if (error instanceof Refused) status.textContent = error.message || box.dataset.failed;
      });
  }
}

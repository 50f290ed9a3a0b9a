/** One server for the whole run, apps of every kind, and authorization requests as an app begins them. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { Browser, type Credentials, type Page } from "@hallpass/harness/browser";
import { Hallpass } from "@hallpass/harness/hallpass";
import Whop from "@whop/sdk";

export const hallpass = await Hallpass.start();
export const demo = hallpass.ready;
export const issuer = demo.url;

export const owner = new Whop({ apiKey: demo.api_key, baseURL: hallpass.baseURL });
export const ann = hallpass.person("ann");
export const ben = hallpass.person("ben");

/** What the guide tells apps to ask for. */
export const guideScope =
  "openid profile email chat:message:create chat:read dms:read dms:message:manage dms:channel:manage " +
  "support_chat:read support_chat:message:create";

/** How an app proves who it is at the token endpoint. */
export type Method = "none" | "client_secret_post" | "client_secret_basic";

export const methods: Method[] = ["none", "client_secret_post", "client_secret_basic"];

export interface App {
  client_id: string;
  client_secret: string;
  redirect_uri: string;
  method: Method;
}

/** An app of the demo company. One with `none` is public, the others are confidential. */
export async function newApp(method: Method, redirect_uri = "https://app.example/callback"): Promise<App> {
  const made = await owner.apps.create({
    name: `An app (${method})`,
    company_id: demo.company_id,
    redirect_uris: [redirect_uri],
  });
  await owner.apps.update(made.id, { oauth_client_type: method === "none" ? "public" : "confidential" });
  const { client_secret } = made as typeof made & { client_secret: string };
  return { client_id: made.id, client_secret, redirect_uri, method };
}

const random = (bytes: number) => randomBytes(bytes).toString("base64url");

/** An authorization request, and what its app remembers of it. */
export interface Started {
  url: URL;
  state: string;
  nonce: string;
  verifier: string;
}

/** Begins one as the guide does; `more` adds parameters, replaces them or, if empty, leaves them out. */
export function start(app: App, more: Record<string, string> = {}): Started {
  const [state, nonce, verifier] = [random(16), random(16), random(32)];
  const url = new URL("/oauth/authorize", issuer);
  const params = {
    response_type: "code",
    client_id: app.client_id,
    redirect_uri: app.redirect_uri,
    scope: guideScope,
    state,
    nonce,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...more,
  };
  for (const [name, value] of Object.entries(params)) if (value) url.searchParams.set(name, value);
  return { url, state, nonce, verifier };
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token?: string;
  token_type: string;
  expires_in: number;
  scope: string;
}

/** What an endpoint of clients answered. */
export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T & { error?: string; error_description?: string };
}

/** Posts to an endpoint of clients, with the app's own way of proving who it is. */
export async function post<T = Tokens>(
  path: string,
  app: App,
  params: Record<string, string>,
  kind: "json" | "form" = "json",
): Promise<Answer<T>> {
  const headers: Record<string, string> = {};
  const all: Record<string, string> = { ...params };
  if (app.method === "client_secret_basic") {
    headers.authorization = `Basic ${Buffer.from(`${app.client_id}:${app.client_secret}`).toString("base64")}`;
  } else {
    all.client_id = app.client_id;
    if (app.method === "client_secret_post") all.client_secret = app.client_secret;
  }
  headers["content-type"] = kind === "json" ? "application/json" : "application/x-www-form-urlencoded";
  const body = kind === "json" ? JSON.stringify(all) : new URLSearchParams(all).toString();
  const response = await fetch(issuer + path, { method: "POST", headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} };
}

/** Checks the answer in the app's address, and swaps its code for tokens. */
export async function redeem(app: App, started: Started, callback: URL): Promise<Tokens> {
  const { status, body } = await post("/oauth/token", app, {
    grant_type: "authorization_code",
    code: codeOf(started, callback),
    redirect_uri: app.redirect_uri,
    code_verifier: started.verifier,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** The code in an answer that is for this request and from this server. */
export function codeOf(started: Started, callback: URL): string {
  const { code, state, iss, ...rest } = Object.fromEntries(callback.searchParams);
  assert.deepEqual({ state, iss, rest }, { state: started.state, iss: issuer, rest: {} });
  assert.ok(code, callback.href);
  return code;
}

/** Signs somebody in to an app. */
export async function signIn(
  app: App,
  who: Credentials = ann,
  more: Record<string, string> = {},
  browser = new Browser(issuer),
): Promise<Tokens & { browser: Browser }> {
  const started = start(app, more);
  return { ...(await redeem(app, started, await browser.authorize(started.url, who))), browser };
}

export async function refresh(app: App, refresh_token: string, more: Record<string, string> = {}) {
  return post("/oauth/token", app, { grant_type: "refresh_token", refresh_token, ...more });
}

/** Fails unless the app was told this error, at its own address and with its state. */
export function assertToldError(browser: Browser, page: Page, started: Started, error: string): void {
  const { error_description, ...rest } = Object.fromEntries(browser.left(page).searchParams);
  assert.deepEqual(rest, { error, state: started.state, iss: issuer });
  assert.ok(error_description, page.url);
}

/** The claims of a token, unverified. */
export function claims(token: string | undefined): Record<string, unknown> & { exp: number; auth_time: number } {
  return JSON.parse(Buffer.from(token?.split(".")[1] ?? "", "base64url").toString());
}

export async function userinfo(access_token: string): Promise<Response> {
  return fetch(`${issuer}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } });
}

/** Fails unless the token is refused before a second has passed. */
export async function refusedWithinASecond(access_token: string): Promise<void> {
  const deadline = performance.now() + 1000;
  for (;;) {
    const { status } = await userinfo(access_token);
    if (status === 401) return;
    assert.ok(performance.now() < deadline, `still ${status} after a second`);
  }
}

/** Somebody new, who is signed in in this browser. */
export async function signUp(browser: Browser): Promise<{ email: string; password: string }> {
  const [email, password] = [`${random(6).toLowerCase()}@example.com`, "a few unrelated words"];
  const asked = await browser.submit(await browser.open(`${issuer}/sign-up`), "/sign-up", { email });
  const { html } = await new Browser(issuer).open(`${issuer}/dev/outbox`);
  const letter = html.split("<article").find((each) => each.includes(email)) ?? "";
  const [code] = /\b\d{8}\b|\b\d{4} \d{4}\b/.exec(letter.slice(letter.indexOf("<pre"))) ?? [];
  assert.ok(code, "no letter with a code");
  const proved = await browser.submit(asked, "/sign-in/code", { code });
  const username = `u${randomBytes(6).toString("hex")}`;
  const typed = { name: "Someone New", username, new_password: password };
  const page = await browser.submit(proved, "/sign-up/account", typed);
  assert.equal(page.url, `${issuer}/account`, page.html);
  return { email, password };
}

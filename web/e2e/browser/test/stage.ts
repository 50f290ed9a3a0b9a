/** One server, one Chromium and one app for the whole run. */
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

import { launch } from "@hallpass/harness/chromium";
import { Hallpass } from "@hallpass/harness/hallpass";
import Whop from "@whop/sdk";
import type { BrowserContextOptions, Page } from "playwright-core";

export const hallpass = await Hallpass.startByName();
export const demo = hallpass.ready;
export const issuer = demo.url;
export const ann = hallpass.person("ann");
export const ben = hallpass.person("ben");

export const owner = new Whop({ apiKey: demo.api_key, baseURL: hallpass.baseURL });

export const chromium = await launch();

/** Where the app sends its people on from its callback: an origin that only the app knows. */
const furtherServer = createServer((_, response) => {
  response.setHeader("content-type", "text/html");
  response.end("<!doctype html><title>Further on</title><link rel=icon href=data:,><p>Here.");
}).listen(0, "127.0.0.1");
await once(furtherServer, "listening");
furtherServer.unref();
export const furtherOrigin = `http://127.0.0.1:${(furtherServer.address() as AddressInfo).port}`;

/** The app's own server, on another origin: its callbacks, and a page that tries to frame what it likes. */
const appServer = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://app");
  response.setHeader("content-type", "text/html");
  if (pathname === "/onwards") response.writeHead(302, { location: `${furtherOrigin}/` }).end();
  else if (pathname === "/frame") response.end(`<!doctype html><iframe src="${searchParams.get("src")}"></iframe>`);
  else response.end("<!doctype html><title>The app</title><link rel=icon href=data:,><p>Signed in.");
}).listen(0, "127.0.0.1");
await once(appServer, "listening");
appServer.unref();
export const appOrigin = `http://127.0.0.1:${(appServer.address() as AddressInfo).port}`;

after(async () => {
  await chromium.close();
  appServer.close();
  furtherServer.close();
});

export const scope =
  "openid profile email offline_access chat:message:create chat:read dms:read dms:message:manage " +
  "dms:channel:manage support_chat:read support_chat:message:create";

export interface App {
  client_id: string;
  redirect_uri: string;
}

/** A public app of the demo company. */
export async function newApp(redirect_uri = `${appOrigin}/callback`): Promise<App> {
  const made = await owner.apps.create({ name: "Corner Store", company_id: demo.company_id, redirect_uris: [redirect_uri] });
  await owner.apps.update(made.id, { oauth_client_type: "public" });
  return { client_id: made.id, redirect_uri };
}

const random = (bytes: number) => randomBytes(bytes).toString("base64url");

/** An authorization request of an app, and what it remembers of it. */
export function start(app: App, more: Record<string, string> = {}): { url: string; state: string; verifier: string } {
  const [state, verifier] = [random(16), random(32)];
  const url = new URL("/oauth/authorize", issuer);
  url.search = new URLSearchParams({
    response_type: "code",
    ...app,
    scope,
    state,
    nonce: random(16),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...more,
  }).toString();
  return { url: url.href, state, verifier };
}

/** Checks the answer in the app's address, and swaps its code; the claims of the id token. */
export async function redeem(
  app: App,
  started: { state: string; verifier: string },
  callback: string,
): Promise<{ sub: string; email: string; amr: string[]; acr: string }> {
  const answer = new URL(callback).searchParams;
  assert.equal(answer.get("state"), started.state, callback);
  assert.equal(answer.get("iss"), issuer);
  const response = await fetch(`${issuer}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "authorization_code",
      code: answer.get("code"),
      ...app,
      code_verifier: started.verifier,
    }),
  });
  const body = (await response.json()) as { id_token: string };
  assert.equal(response.status, 200, JSON.stringify(body));
  return JSON.parse(Buffer.from(body.id_token.split(".")[1] ?? "", "base64url").toString());
}

/** A page of a browser of its own, and what went wrong in it. */
export class Visitor {
  readonly page: Page;
  readonly #complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#complaints.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.#complaints.push(`script: ${error.message}`));
    page.on("request", (request) => {
      const url = request.url();
      const isNavigation = request.isNavigationRequest();
      if (!url.startsWith(`${issuer}/`) && !(isNavigation && url.startsWith(`${appOrigin}/`))) {
        this.#complaints.push(`a request to ${url}`);
      }
    });
  }

  static async arrive(options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await chromium.newContext({ locale: "en-GB", viewport: { width: 1280, height: 860 }, ...options });
    context.setDefaultTimeout(15_000);
    return new Visitor(await context.newPage());
  }

  /** What went wrong since the last call. */
  takeComplaints(): string[] {
    return this.#complaints.splice(0);
  }

  /** Opens a page of the server; by default its answer must be a good one. */
  async open(path: string, status = 200): Promise<void> {
    const response = await this.page.goto(new URL(path, issuer).href);
    assert.equal(response?.status(), status, path);
  }

  async signIn(who: { email: string; password: string }): Promise<void> {
    await this.page.fill("#email", who.email);
    await this.page.fill("#password", who.password);
    await this.page.click("form[action='/sign-in'] button.first");
  }

  async allow(): Promise<void> {
    await this.page.click("button[name=decision][value=allow]");
  }

  /** Where the app is called back; waits until it is. */
  async callback(): Promise<string> {
    await this.page.waitForURL((url) => url.origin === appOrigin);
    return this.page.url();
  }

  /** The code that was last sent to an address. */
  async letterCode(email: string): Promise<string> {
    const outbox = await this.page.context().newPage();
    await outbox.goto(`${issuer}/dev/outbox`);
    const letter = outbox.locator("article.letter", { hasText: email }).first();
    const [code] = /\b\d{8}\b|\b\d{4} \d{4}\b/.exec(await letter.locator("pre").innerText()) ?? [];
    await outbox.close();
    assert.ok(code, "no code in the letter");
    return code;
  }

  /** From the page that asks for an address to the one that asks for a name. */
  async proveAddress(email: string): Promise<void> {
    await this.page.fill("#email", email);
    await this.page.click("form[action='/sign-up'] button.first");
    await this.page.fill("#code", await this.letterCode(email));
    await this.page.click("form[action='/sign-in/code'] button.first");
    await this.page.waitForSelector("#username");
  }

  /** Makes an account with a password, as somebody who is on the page that asks for an address. */
  async signUp(email = freshEmail(), name = "Someone New"): Promise<{ email: string; password: string }> {
    const password = "a few unrelated words";
    await this.proveAddress(email);
    await this.page.fill("#name", name);
    await this.page.fill("#username", freshUsername());
    await this.page.fill("#new_password", password);
    await this.page.click("form[action='/sign-up/account'] button.first");
    await this.page.waitForURL((url) => url.pathname !== "/sign-up/account");
    return { email, password };
  }

  /** An authenticator in the machine itself, which says yes to whoever asks, autofill too. */
  async addAuthenticator(): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send("WebAuthn.enable");
    await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

export const freshEmail = (): string => `${randomUUID().slice(0, 8)}@example.com`;
export const freshUsername = (): string => `u-${randomUUID().slice(0, 8)}`;

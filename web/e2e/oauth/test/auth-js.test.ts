/** Auth.js with Hallpass as a provider of one's own: cookies, PKCE, state and nonce are its business. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Auth, type AuthConfig } from "@auth/core";
import { Browser } from "@hallpass/harness/browser";

import {
  type App,
  ann,
  assertToldError,
  guideScope,
  issuer,
  methods,
  newApp,
  post,
  refresh,
  type Started,
  userinfo,
} from "./stage.ts";

const origin = "http://localhost:3000";
const redirect_uri = `${origin}/auth/callback/hallpass`;

interface Account {
  access_token: string;
  refresh_token: string;
  id_token: string;
}

/** A site with Auth.js, and the browser that visits it. */
class Site {
  readonly #config: AuthConfig;
  readonly #cookies = new Map<string, string>();
  account: Account | undefined;

  constructor(app: App, idToken: boolean) {
    this.#config = {
      basePath: "/auth",
      secret: "a secret of the site, and of nobody else",
      trustHost: true,
      logger: { error: () => {}, warn: () => {} },
      providers: [
        {
          id: "hallpass",
          name: "Hallpass",
          type: "oidc",
          issuer,
          idToken,
          clientId: app.client_id,
          clientSecret: app.client_secret,
          client: { token_endpoint_auth_method: app.method, id_token_signed_response_alg: "ES256" },
          authorization: { params: { scope: guideScope } },
          checks: ["pkce", "state", "nonce"],
        },
      ],
      callbacks: {
        jwt: ({ token, account }) => {
          if (account) this.account = account as unknown as Account;
          return token;
        },
      },
    };
  }

  async visit(path: string, form?: Record<string, string>): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const init = form
      ? { method: "POST", body: new URLSearchParams(form), headers: { cookie } }
      : { headers: { cookie } };
    const response = await Auth(new Request(new URL(path, origin), init), this.#config);
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    return response;
  }

  async json<T>(path: string): Promise<T> {
    return (await this.visit(path)).json() as Promise<T>;
  }

  /** Where the site sends somebody who wants to sign in. */
  async begin(): Promise<URL> {
    const { csrfToken } = await this.json<{ csrfToken: string }>("/auth/csrf");
    const response = await this.visit("/auth/signin/hallpass", { csrfToken, callbackUrl: `${origin}/home` });
    return new URL(response.headers.get("location")!);
  }
}

for (const method of methods) {
  for (const idToken of [true, false]) {
    describe(`Auth.js with ${method}, a profile from ${idToken ? "the id token" : "userinfo"}`, () => {
      it("signs in, and refreshes until it revokes", async () => {
        const app = await newApp(method, redirect_uri);
        const site = new Site(app, idToken);
        const url = await site.begin();
        for (const name of ["state", "nonce", "code_challenge"]) assert.ok(url.searchParams.get(name), name);

        const callback = await new Browser(issuer).authorize(url, ann);
        const back = await site.visit(callback.href);
        assert.equal(back.headers.get("location"), `${origin}/home`);
        const session = await site.json<{ user: { email: string; name: string } }>("/auth/session");
        assert.equal(session.user.email, ann.email);
        assert.ok(session.user.name);

        // Auth.js leaves refreshing to the site.
        const { status, body } = await refresh(app, site.account!.refresh_token);
        assert.equal(status, 200, JSON.stringify(body));
        const info = (await (await userinfo(body.access_token)).json()) as { sub: string };
        assert.equal(info.sub, ann.id);
        await post("/oauth/revoke", app, { token: body.refresh_token }, "form");
        assert.equal((await refresh(app, body.refresh_token)).body.error, "invalid_grant");
      });
    });
  }
}

describe("Auth.js", () => {
  it("is told of a refusal, and signs nobody in", async () => {
    const site = new Site(await newApp("client_secret_post", redirect_uri), true);
    const url = await site.begin();
    const browser = new Browser(issuer);
    const consent = await browser.signIn(await browser.open(url.href), ann);
    const denied = await browser.decide(consent, "deny");
    const started = { state: url.searchParams.get("state") } as Started;
    assertToldError(browser, denied, started, "access_denied");
    const back = await site.visit(denied.url);
    assert.match(back.headers.get("location") ?? "", /\/auth\/signin\?error=/);
    assert.equal(await site.json("/auth/session"), null);
  });

  it("takes no answer that another browser began", async () => {
    const app = await newApp("client_secret_post", redirect_uri);
    const callback = await new Browser(issuer).authorize(await new Site(app, true).begin(), ann);
    const other = new Site(app, true);
    await other.begin();
    assert.match((await other.visit(callback.href)).headers.get("location") ?? "", /\/auth\/error/);
    assert.equal(await other.json("/auth/session"), null);
  });
});

/** The guide's own way: plain `fetch`, JSON or forms, from a server or from a page of another origin. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";

import {
  ann,
  claims,
  codeOf,
  guideScope,
  issuer,
  methods,
  newApp,
  post,
  refusedWithinASecond,
  signIn,
  start,
  type Tokens,
  userinfo,
} from "./stage.ts";

for (const method of methods) {
  for (const kind of ["json", "form"] as const) {
    it(`a body of ${kind}, ${method}: signs in, refreshes, revokes`, async () => {
      const app = await newApp(method);
      const started = start(app, { scope: `${guideScope} offline_access` });
      const callback = await new Browser(issuer).authorize(started.url, ann);
      const redeem = {
        grant_type: "authorization_code",
        code: codeOf(started, callback),
        redirect_uri: app.redirect_uri,
        code_verifier: started.verifier,
      };
      const { status, headers, body } = await post("/oauth/token", app, redeem, kind);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(body.token_type, "Bearer");
      assert.equal(body.expires_in, 3600);
      assert.equal(claims(body.id_token).nonce, started.nonce);
      assert.equal(claims(body.access_token).exp, claims(body.id_token).exp);

      const again = { grant_type: "refresh_token", refresh_token: body.refresh_token };
      const refreshed = await post("/oauth/token", app, again, kind);
      assert.equal(refreshed.status, 200, JSON.stringify(refreshed.body));
      assert.notEqual(refreshed.body.refresh_token, body.refresh_token);

      const { refresh_token, access_token } = refreshed.body;
      assert.equal((await userinfo(access_token)).status, 200);
      const revoked = await post("/oauth/revoke", app, { token: refresh_token }, kind);
      assert.deepEqual([revoked.status, revoked.body], [200, {}]);
      const after = await post("/oauth/token", app, { grant_type: "refresh_token", refresh_token }, kind);
      assert.deepEqual([after.status, after.body.error], [400, "invalid_grant"]);
      await refusedWithinASecond(access_token);
    });
  }
}

describe("a page of another origin", () => {
  const origin = "https://app.example";

  it("may call token, revoke, userinfo and discovery, and send no cookies along", async () => {
    for (const [path, method] of [
      ["/oauth/token", "POST"],
      ["/oauth/revoke", "POST"],
      ["/oauth/userinfo", "GET"],
      ["/.well-known/openid-configuration", "GET"],
      ["/.well-known/jwks.json", "GET"],
    ] as const) {
      const asked = await fetch(issuer + path, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": method,
          "access-control-request-headers": "authorization,content-type",
        },
      });
      assert.ok(asked.ok, `${path} ${asked.status}`);
      assert.ok(["*", origin].includes(asked.headers.get("access-control-allow-origin") ?? ""), path);
      const allowed = asked.headers.get("access-control-allow-headers")?.toLowerCase() ?? "";
      if (method === "POST") assert.ok(allowed.includes("content-type"), `${path}: ${allowed}`);
      assert.equal(asked.headers.get("access-control-allow-credentials"), null);
      const answer = await fetch(issuer + path, { method, headers: { origin } });
      assert.ok(["*", origin].includes(answer.headers.get("access-control-allow-origin") ?? ""), path);
    }
  });

  it("may not call the pages of people", async () => {
    for (const path of ["/oauth/authorize", "/sign-in", "/account"]) {
      const answer = await fetch(issuer + path, { headers: { origin }, redirect: "manual" });
      assert.equal(answer.headers.get("access-control-allow-origin"), null, path);
    }
  });
});

describe("two calls at once", () => {
  it("with the same refresh token get the same successor, and nobody is signed out", async () => {
    const app = await newApp("none");
    const { refresh_token } = await signIn(app);
    const params = { grant_type: "refresh_token", refresh_token };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("/oauth/token", app, params)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const successors = new Set(answers.map(({ body }) => (body as Tokens).refresh_token));
    assert.equal(successors.size, 1);
    const [successor = ""] = successors;
    const next = await post("/oauth/token", app, { grant_type: "refresh_token", refresh_token: successor });
    assert.equal(next.status, 200);
  });

  it("an old token, used once its successor was, takes everything back", async () => {
    const app = await newApp("none");
    const first = await signIn(app);
    const use = (refresh_token: string) => post("/oauth/token", app, { grant_type: "refresh_token", refresh_token });
    const second = (await use(first.refresh_token)).body;
    const third = (await use(second.refresh_token)).body;
    assert.equal((await use(first.refresh_token)).body.error, "invalid_grant");
    assert.equal((await use(third.refresh_token)).body.error, "invalid_grant");
    await refusedWithinASecond(third.access_token);
  });
});

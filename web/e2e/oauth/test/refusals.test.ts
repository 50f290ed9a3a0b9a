/** Requests that a client gets wrong, and ones that an attacker gets right. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";

import { ann, assertToldError, codeOf, issuer, newApp, post, signIn, start } from "./stage.ts";

const app = await newApp("none");

describe("a request with", () => {
  for (const [what, error, more] of [
    ["an unknown scope", "invalid_scope", { scope: "openid read_user" }],
    ["no scope", "invalid_scope", { scope: "" }],
    ["no nonce", "invalid_request", { nonce: "" }],
    ["no code_challenge", "invalid_request", { code_challenge: "" }],
    ["a plain code_challenge", "invalid_request", { code_challenge_method: "plain" }],
    ["no code_challenge_method", "invalid_request", { code_challenge_method: "" }],
    ["the implicit flow", "unsupported_response_type", { response_type: "token" }],
    ["a fragment for an answer", "invalid_request", { response_mode: "fragment" }],
    ["a request object", "request_not_supported", { request: "eyJhbGciOiJub25lIn0.e30." }],
    ["a request_uri", "request_uri_not_supported", { request_uri: "https://app.example/r" }],
    ["a malformed company", "invalid_request", { company_id: "biz_" }],
  ] as [string, string, Record<string, string>][]) {
    it(`${what} is ${error}, told to the app`, async () => {
      const browser = new Browser(issuer);
      const started = start(app, more);
      assertToldError(browser, await browser.open(started.url.href), started, error);
    });
  }

  it("the words of the reference for a nonce that is missing", async () => {
    const page = await new Browser(issuer).open(start(app, { nonce: "" }).url.href);
    assert.equal(new URL(page.url).searchParams.get("error_description"), "nonce is required for openid scope");
  });

  for (const [what, more] of [
    ["an unknown client", { client_id: "app_00000000000000000000000000" }],
    ["no client", { client_id: "" }],
    ["no redirect_uri", { redirect_uri: "" }],
    ["a slash too much", { redirect_uri: `${app.redirect_uri}/` }],
    ["a query of its own", { redirect_uri: `${app.redirect_uri}?next=//evil.example` }],
    ["another host", { redirect_uri: "https://app.example.evil.example/callback" }],
    ["a user in its address", { redirect_uri: "https://app.example@evil.example/callback" }],
    ["a script", { redirect_uri: "javascript:alert(1)//" }],
  ] as [string, Record<string, string>][]) {
    it(`${what} is a page, never a redirect`, async () => {
      const page = await new Browser(issuer).open(start(app, more).url.href);
      assert.equal(page.url.startsWith(`${issuer}/oauth/authorize`), true, page.url);
      assert.ok(page.status >= 400 && page.status < 500, String(page.status));
      assert.ok(!page.html.includes("evil.example"), page.html);
    });
  }
});

describe("a code", () => {
  /** One that is ready to be redeemed, and how. */
  async function code(of = app) {
    const started = start(of);
    const callback = await new Browser(issuer).authorize(started.url, ann);
    return {
      grant_type: "authorization_code",
      code: codeOf(started, callback),
      redirect_uri: of.redirect_uri,
      code_verifier: started.verifier,
    };
  }

  it("is worth nothing to another app", async () => {
    const mine = await code();
    const other = await newApp("client_secret_post", app.redirect_uri);
    assert.equal((await post("/oauth/token", other, mine)).body.error, "invalid_grant");
  });

  it("needs its verifier and its address", async () => {
    for (const more of [
      { code_verifier: "x".repeat(43) },
      { code_verifier: "" },
      { redirect_uri: `${app.redirect_uri}/` },
      { redirect_uri: "" },
    ]) {
      const answer = await post("/oauth/token", app, { ...(await code()), ...more });
      assert.equal(answer.status, 400);
      assert.match(answer.body.error ?? "", /^invalid_(grant|request)$/);
    }
  });

  it("survives a client that could not prove itself", async () => {
    const confidential = await newApp("client_secret_post");
    const mine = await code(confidential);
    const wrong = { ...confidential, client_secret: `${confidential.client_secret}x` };
    const refused = await post("/oauth/token", wrong, mine);
    assert.deepEqual([refused.status, refused.body.error], [401, "invalid_client"]);
    assert.equal((await post("/oauth/token", { ...confidential, method: "none" }, mine)).status, 401);
    assert.equal((await post("/oauth/token", confidential, mine)).status, 200);
  });
});

describe("a refresh token", () => {
  it("is no access token, and an id token is no refresh token", async () => {
    const { refresh_token, id_token } = await signIn(app);
    const headers = { authorization: `Bearer ${refresh_token}` };
    assert.equal((await fetch(`${issuer}/oauth/userinfo`, { headers })).status, 401);
    const params = { grant_type: "refresh_token", refresh_token: id_token! };
    assert.equal((await post("/oauth/token", app, params)).body.error, "invalid_grant");
  });

  it("is worth nothing to another app, and stays its own app's", async () => {
    const { refresh_token } = await signIn(app);
    const params = { grant_type: "refresh_token", refresh_token };
    assert.equal((await post("/oauth/token", await newApp("none"), params)).body.error, "invalid_grant");
    assert.equal((await post("/oauth/revoke", await newApp("none"), { token: refresh_token })).status, 200);
    assert.equal((await post("/oauth/token", app, params)).status, 200);
  });
});

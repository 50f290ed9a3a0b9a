/** `openid-client`, a certified OpenID Connect client, with everything checked that it can check. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";
import * as client from "openid-client";

import { type App, ann, demo, guideScope, issuer, methods, newApp } from "./stage.ts";

const scope = `${guideScope} offline_access`;

function authentication({ method, client_secret }: App): client.ClientAuth {
  switch (method) {
    case "none":
      return client.None();
    case "client_secret_post":
      return client.ClientSecretPost(client_secret);
    case "client_secret_basic":
      return client.ClientSecretBasic(client_secret);
  }
}

async function configure(app: App): Promise<client.Configuration> {
  const metadata = { id_token_signed_response_alg: "ES256", require_auth_time: true };
  return client.discovery(new URL(issuer), app.client_id, metadata, authentication(app), {
    // The demo server speaks plain http; and signatures are checked although the connection is to the issuer.
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  });
}

/** Signs in, and gives the tokens. */
async function signIn(config: client.Configuration, app: App) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: app.redirect_uri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    max_age: "3600",
  });
  const callback = await new Browser(issuer).authorize(url, ann);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge: 3600, idTokenExpected: true };
  return client.authorizationCodeGrant(config, callback, checks);
}

async function refusal(call: Promise<unknown>): Promise<client.ResponseBodyError> {
  const outcome = await call.then(
    () => assert.fail("it was allowed"),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof client.ResponseBodyError, String(outcome));
  return outcome;
}

for (const method of methods) {
  describe(`openid-client with ${method}`, async () => {
    const app = await newApp(method);
    const config = await configure(app);

    it("signs in, learns who it is, refreshes, and is out once it revoked", async () => {
      const tokens = await signIn(config, app);
      const claims = tokens.claims();
      assert.equal(claims?.sub, ann.id);
      assert.equal(claims.email, ann.email);
      assert.equal(tokens.expires_in, 3600);
      assert.deepEqual(new Set(tokens.scope?.split(" ")), new Set(scope.split(" ")));

      const info = await client.fetchUserInfo(config, tokens.access_token, ann.id);
      assert.equal(info.preferred_username, ann.username);
      assert.equal(info.email, ann.email);
      assert.equal(info.email_verified, true);

      const second = await client.refreshTokenGrant(config, tokens.refresh_token!);
      assert.notEqual(second.refresh_token, tokens.refresh_token);
      // Some clients send the scope of the beginning along.
      const third = await client.refreshTokenGrant(config, second.refresh_token!, { scope });
      assert.equal(third.claims()?.sub, ann.id);
      assert.equal(third.claims()?.auth_time, claims.auth_time);
      assert.deepEqual(new Set(third.scope?.split(" ")), new Set(scope.split(" ")));

      await client.tokenRevocation(config, third.refresh_token!);
      const refused = await refusal(client.refreshTokenGrant(config, third.refresh_token!));
      assert.equal(refused.error, "invalid_grant");
      assert.equal(refused.status, 400);
    });

    it("refreshes to less, and never to more", async () => {
      const tokens = await signIn(config, app);
      const less = await client.refreshTokenGrant(config, tokens.refresh_token!, { scope: "openid chat:read" });
      assert.ok(!less.scope?.split(" ").includes("dms:read"));
      const wider = client.refreshTokenGrant(config, less.refresh_token!, { scope: `${scope} company:update` });
      assert.equal((await refusal(wider)).error, "invalid_scope");
    });

    it("redeems a code once; a second time takes back what it gave", async () => {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: app.redirect_uri,
        scope: "openid",
        nonce: "n",
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
      });
      const callback = await new Browser(issuer).authorize(url, ann);
      const grant = () => client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedNonce: "n" });
      const tokens = await grant();
      assert.equal((await refusal(grant())).error, "invalid_grant");
      assert.equal((await refusal(client.refreshTokenGrant(config, tokens.refresh_token!))).error, "invalid_grant");
    });

    if (method !== "none") {
      it("introspects its own tokens", async () => {
        const tokens = await signIn(config, app);
        const access = await client.tokenIntrospection(config, tokens.access_token);
        assert.equal(access.active, true);
        assert.equal(access.client_id, app.client_id);
        assert.equal(access.sub, ann.id);
        assert.equal((await client.tokenIntrospection(config, tokens.refresh_token!)).active, true);
        await client.tokenRevocation(config, tokens.refresh_token!);
        assert.deepEqual(await client.tokenIntrospection(config, tokens.refresh_token!), { active: false });
      });
    }

    it("signs out, and comes back to where it registered", async () => {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const browser = new Browser(issuer);
      const authorize = async (more: Record<string, string>) =>
        client.buildAuthorizationUrl(config, {
          redirect_uri: app.redirect_uri,
          scope,
          nonce: "n",
          code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
          code_challenge_method: "S256",
          ...more,
        });
      const callback = await browser.authorize(await authorize({}), ann);
      const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedNonce: "n" });
      const end = client.buildEndSessionUrl(config, {
        id_token_hint: tokens.id_token!,
        post_logout_redirect_uri: app.redirect_uri,
        state: "after",
      });
      let page = await browser.open(end.href);
      if (browser.asks(page, "/oauth/logout/confirm")) page = await browser.submit(page, "/oauth/logout/confirm", {});
      assert.equal(browser.left(page).href, `${app.redirect_uri}?state=after`);
      const silent = await browser.open((await authorize({ prompt: "none" })).href);
      assert.equal(browser.left(silent).searchParams.get("error"), "login_required");
    });
  });
}

describe("openid-client", () => {
  it("takes the discovery document under both of its names", async () => {
    const app = await newApp("none");
    const execute = [client.allowInsecureRequests];
    const [oidc, oauth2] = await Promise.all(
      (["oidc", "oauth2"] as const).map((algorithm) =>
        client.discovery(new URL(issuer), app.client_id, undefined, client.None(), { execute, algorithm }),
      ),
    );
    assert.deepEqual(oidc?.serverMetadata(), oauth2?.serverMetadata());
    assert.equal(oidc?.serverMetadata().issuer, demo.url);
    assert.equal(oidc?.serverMetadata().supportsPKCE(), true);
  });

  it("signs in an app of a phone, which is called by its own scheme", async () => {
    const app = await newApp("none", "com.yourapp.bundle://oauth/callback");
    const config = await configure(app);
    assert.equal((await signIn(config, app)).claims()?.sub, ann.id);
  });

  it("signs in a program that listens on a port of the loopback address", async () => {
    const app = await newApp("none", "http://127.0.0.1/callback");
    const elsewhere = { ...app, redirect_uri: "http://127.0.0.1:49321/callback" };
    assert.equal((await signIn(await configure(app), elsewhere)).claims()?.sub, ann.id);
  });

  it("speaks for itself with client_credentials, if it shows its secret", async () => {
    assert.ok(demo.oauth);
    const config = await configure({ ...demo.oauth, method: "client_secret_basic" });
    const tokens = await client.clientCredentialsGrant(config, { scope: "chat:read" });
    assert.deepEqual([tokens.scope, tokens.refresh_token, tokens.id_token], ["chat:read", undefined, undefined]);
    const messages = new URL(`/api/v1/messages?channel_id=${demo.channel_id}&first=1`, issuer);
    assert.equal((await client.fetchProtectedResource(config, tokens.access_token, messages, "GET")).status, 200);
    const nobody = await configure(await newApp("none"));
    assert.equal((await refusal(client.clientCredentialsGrant(nobody))).error, "unauthorized_client");
  });
});

/** `oauth4webapi`, certified too, one call at a time; and as the resource server that checks our tokens. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";
import * as oauth from "oauth4webapi";

import { type App, ann, guideScope, issuer, methods, newApp } from "./stage.ts";

const insecure = { [oauth.allowInsecureRequests]: true };
const scope = `${guideScope} offline_access`;

const issuerUrl = new URL(issuer);
const as = await oauth.processDiscoveryResponse(issuerUrl, await oauth.discoveryRequest(issuerUrl, insecure));

function authentication({ method, client_secret }: App): oauth.ClientAuth {
  switch (method) {
    case "none":
      return oauth.None();
    case "client_secret_post":
      return oauth.ClientSecretPost(client_secret);
    case "client_secret_basic":
      return oauth.ClientSecretBasic(client_secret);
  }
}

async function signIn(app: App, auth: oauth.ClientAuth): Promise<oauth.TokenEndpointResponse> {
  const client: oauth.Client = { client_id: app.client_id, require_auth_time: true };
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(as.authorization_endpoint!);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: app.client_id,
    redirect_uri: app.redirect_uri,
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  }).toString();
  const callback = await new Browser(issuer).authorize(url, ann);
  const params = oauth.validateAuthResponse(as, client, callback, state);
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    auth,
    params,
    app.redirect_uri,
    verifier,
    insecure,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(as, response, insecure);
  return tokens;
}

for (const method of methods) {
  describe(`oauth4webapi with ${method}`, () => {
    it("signs in, learns who it is, refreshes, and is out once it revoked", async () => {
      const app = await newApp(method);
      const client: oauth.Client = { client_id: app.client_id };
      const auth = authentication(app);
      const tokens = await signIn(app, auth);
      assert.equal(oauth.getValidatedIdTokenClaims(tokens)?.sub, ann.id);

      const info = await oauth.processUserInfoResponse(
        as,
        client,
        ann.id,
        await oauth.userInfoRequest(as, client, tokens.access_token, insecure),
      );
      assert.equal(info.email, ann.email);

      const refresh = (token: string, more: Record<string, string> = {}) =>
        oauth.refreshTokenGrantRequest(as, client, auth, token, { ...insecure, additionalParameters: more });
      const answer = await refresh(tokens.refresh_token!, { scope });
      const refreshed = await oauth.processRefreshTokenResponse(as, client, answer);
      await oauth.validateApplicationLevelSignature(as, answer, insecure);
      assert.equal(oauth.getValidatedIdTokenClaims(refreshed)?.sub, ann.id);

      const revoked = await oauth.revocationRequest(as, client, auth, refreshed.refresh_token!, insecure);
      await oauth.processRevocationResponse(revoked);
      await assert.rejects(
        oauth.processRefreshTokenResponse(as, client, await refresh(refreshed.refresh_token!)),
        (error: oauth.ResponseBodyError) => error.error === "invalid_grant",
      );
    });
  });
}

describe("oauth4webapi as a resource server (RFC 9068)", () => {
  const request = (token: string) =>
    new Request("https://resource.example/", { headers: { authorization: `Bearer ${token}` } });

  it("takes our access tokens", async () => {
    const app = await newApp("none");
    const tokens = await signIn(app, oauth.None());
    const claims = await oauth.validateJwtAccessToken(as, request(tokens.access_token), issuer, insecure);
    assert.equal(claims.sub, ann.id);
    assert.equal(claims.client_id, app.client_id);
    assert.deepEqual(new Set(claims.scope?.split(" ")), new Set(scope.split(" ")));
  });

  it("takes no id token for one", async () => {
    const tokens = await signIn(await newApp("none"), oauth.None());
    await assert.rejects(oauth.validateJwtAccessToken(as, request(tokens.id_token!), issuer, insecure));
    const answer = await oauth.userInfoRequest(as, { client_id: "any" }, tokens.id_token!, insecure);
    assert.equal(answer.status, 401);
  });
});

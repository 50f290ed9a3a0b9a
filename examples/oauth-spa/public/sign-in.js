/** Code flow with PKCE for a public client: there is no secret, and nothing here is one. */
import * as oauth from "/oauth4webapi.js";
import { end, getToken } from "/tokens.js";

const { issuer, client_id } = await (await fetch("/config.json")).json();
const issuerUrl = new URL(issuer);

/** `hallpass dev` on this machine; everything else speaks https. */
export const options = { [oauth.allowInsecureRequests]: issuerUrl.protocol === "http:" };
export const client = { client_id };
export const server = await oauth.processDiscoveryResponse(issuerUrl, await oauth.discoveryRequest(issuerUrl, options));

const redirect_uri = `${location.origin}/callback`;
const scope = "openid profile email chat:message:create chat:read";
/** What was begun, for as long as the tab is away; tokens are never stored. */
const begun_key = "sign-in";

export async function beginSignIn() {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  sessionStorage.setItem(begun_key, JSON.stringify({ verifier, state, nonce }));
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri,
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  location.assign(url);
}

/** Checks the answer in our address, and swaps its code for tokens. */
export async function finishSignIn(answer) {
  const begun = JSON.parse(sessionStorage.getItem(begun_key) ?? "{}");
  sessionStorage.removeItem(begun_key);
  const params = oauth.validateAuthResponse(server, client, answer, begun.state ?? oauth.expectNoState);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    params,
    redirect_uri,
    begun.verifier,
    options,
  );
  const checks = { expectedNonce: begun.nonce, requireIdToken: true };
  return oauth.processAuthorizationCodeResponse(server, client, response, checks);
}

export async function profile() {
  const response = await oauth.userInfoRequest(server, client, await getToken(), options);
  return oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck, response);
}

export async function signOut() {
  const { refresh_token, id_token } = end();
  await oauth.revocationRequest(server, client, oauth.None(), refresh_token, options);
  const url = new URL(server.end_session_endpoint);
  url.search = new URLSearchParams({ id_token_hint: id_token });
  location.assign(url);
}

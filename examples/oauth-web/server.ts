/**
 * A site whose users sign in with OAuth. Tokens stay on the server: the browser holds the name of a session,
 * and the page asks `GET /api/token` for a token when its chat needs one.
 */
import express, { type Response } from "express";
import * as client from "openid-client";

import { type Login, Sessions, type SignedIn } from "./sessions.ts";

const { OAUTH_ISSUER, OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET } = process.env;
if (!OAUTH_ISSUER || !OAUTH_CLIENT_ID || !OAUTH_CLIENT_SECRET) throw new Error("see README.md for the environment");

const port = process.env.PORT ?? 3000;
const origin = process.env.ORIGIN ?? `http://localhost:${port}`;
const redirect_uri = `${origin}/api/auth/callback/whop`;

const scope = [
  "openid profile email",
  "chat:message:create chat:read",
  "dms:read dms:message:manage dms:channel:manage",
  "support_chat:read support_chat:message:create",
].join(" ");

const issuer = new URL(OAUTH_ISSUER);
const config = await client.discovery(issuer, OAUTH_CLIENT_ID, undefined, client.ClientSecretBasic(OAUTH_CLIENT_SECRET), {
  // `hallpass dev` on this machine; everything else speaks https.
  execute: issuer.protocol === "http:" ? [client.allowInsecureRequests] : [],
});

const refresh_when_left_ms = 5 * 60_000;
const sessions = new Sessions(origin.startsWith("https:"));
const app = express();

app.get("/", (request, response) => {
  const session = sessions.signedIn(request);
  response.send(
    session
      ? `<!doctype html><title>Signed in</title><p>Signed in as ${escape(session.name)}.
         <form method="post" action="/logout"><button>Sign out</button></form>`
      : `<!doctype html><title>Welcome</title><p><a href="/login">Sign in</a>`,
  );
});

app.get("/login", async (_request, response) => {
  const login: Login = {
    verifier: client.randomPKCECodeVerifier(),
    state: client.randomState(),
    nonce: client.randomNonce(),
  };
  sessions.begin(response, login);
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope,
    state: login.state,
    nonce: login.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(login.verifier),
    code_challenge_method: "S256",
  });
  response.redirect(url.href);
});

app.get("/api/auth/callback/whop", async (request, response) => {
  // A login is answered once, and only in the browser that began it.
  const login = sessions.takeLogin(request);
  if (!login) return void response.redirect("/");
  try {
    const tokens = await client.authorizationCodeGrant(config, new URL(request.originalUrl, origin), {
      pkceCodeVerifier: login.verifier,
      expectedState: login.state,
      expectedNonce: login.nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims()!;
    sessions.begin(response, { ...kept(tokens), name: String(claims.name ?? claims.sub), id_token: tokens.id_token! });
    response.redirect("/");
  } catch (error) {
    if (!isRefusal(error)) throw error;
    response.status(400).send(`<!doctype html><p>Not signed in. <a href="/login">Try again</a>`);
  }
});

/** The guide's token endpoint: what `getToken` in the page fetches. */
app.get("/api/token", async (request, response) => {
  response.set("cache-control", "no-store");
  const session = sessions.signedIn(request);
  if (!session) return void response.status(401).json({ error: "not signed in" });
  try {
    response.json({ token: await freshToken(session) });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    // The user took the consent back, or was away for too long.
    sessions.end(request, response);
    response.status(401).json({ error: "not signed in" });
  }
});

app.post("/logout", async (request, response) => {
  const session = sessions.signedIn(request);
  sessions.end(request, response);
  if (!session) return void response.redirect(303, "/");
  await session.refreshing?.catch(() => {});
  await client.tokenRevocation(config, session.refresh_token);
  // And at Hallpass: otherwise the next click on "Sign in" would need no password. It sends people back to an
  // address that is registered, which leads home where no login was begun.
  const after = { id_token_hint: session.id_token, post_logout_redirect_uri: redirect_uri };
  response.redirect(303, client.buildEndSessionUrl(config, after).href);
});

/** An access token with some minutes left. Calls at the same time share one refresh. */
async function freshToken(session: SignedIn): Promise<string> {
  if (session.expires_at - Date.now() < refresh_when_left_ms) {
    session.refreshing ??= client
      .refreshTokenGrant(config, session.refresh_token)
      .then((tokens) => void Object.assign(session, kept(tokens)))
      .finally(() => delete session.refreshing);
    await session.refreshing;
  }
  return session.access_token;
}

/** What is kept of an answer; each refresh token is used once, so the newest. */
function kept(tokens: client.TokenEndpointResponse) {
  return {
    access_token: tokens.access_token,
    refresh_token: tokens.refresh_token!,
    expires_at: Date.now() + tokens.expires_in! * 1000,
  };
}

/** Whether Hallpass said no, or what came is not an answer to what was asked. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof client.AuthorizationResponseError ||
    error instanceof client.ClientError ||
    (error instanceof client.ResponseBodyError && error.error === "invalid_grant")
  );
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

app.listen(port);

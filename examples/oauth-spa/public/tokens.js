/** Tokens, in memory alone, and the same in every tab: whichever refreshes tells the others. */
import * as oauth from "/oauth4webapi.js";

const refresh_when_left_ms = 5 * 60_000;
const answered_within_ms = 200;

const channel = new BroadcastChannel("tokens");
let tokens;

channel.addEventListener("message", ({ data }) => {
  if (data.ask && tokens) channel.postMessage({ tokens });
  else if (data.ended) location.reload();
  else if (data.tokens && (tokens?.expires_at ?? 0) < data.tokens.expires_at) tokens = data.tokens;
});

/** Begins with what signing in gave. */
export function begin(response) {
  const { access_token, refresh_token, id_token, expires_in } = response;
  tokens = { access_token, refresh_token, id_token, expires_at: Date.now() + expires_in * 1000 };
  channel.postMessage({ tokens });
}

/** Whether another tab is signed in, and so this one is too. */
export async function othersTokens() {
  channel.postMessage({ ask: true });
  await new Promise((resolve) => {
    channel.addEventListener("message", resolve, { once: true });
    setTimeout(resolve, answered_within_ms);
  });
  return tokens !== undefined;
}

/** An access token with some minutes left: what chat elements call. */
export async function getToken() {
  if (!isFresh()) {
    // One tab at a time. Should the news of a refresh come late, the old refresh token gives the same new one
    // again for half a minute.
    await navigator.locks.request("refresh", async () => {
      if (!isFresh()) await refresh();
    });
  }
  return tokens.access_token;
}

/** Forgets them here, and in every other tab, which begins anew; gives what they were. */
export function end() {
  const ended = tokens;
  tokens = undefined;
  channel.postMessage({ ended: true });
  return ended;
}

function isFresh() {
  if (!tokens) throw new Error("nobody is signed in");
  return tokens.expires_at - Date.now() >= refresh_when_left_ms;
}

async function refresh() {
  const { server, client, options } = await import("/sign-in.js");
  const { refresh_token, id_token } = tokens;
  const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refresh_token, options);
  begin({ id_token, ...(await oauth.processRefreshTokenResponse(server, client, response)) });
}

/**
 * What a client does with the token of `server.ts`: fetch it, post, list. Then, as the server again:
 * revoke it, and see it refused.
 */
import Whop, { AuthenticationError } from "@whop/sdk";

const channel_id = process.env.WHOP_CHANNEL_ID;
if (!channel_id) throw new Error("WHOP_CHANNEL_ID is not set");

const tokenUrl = process.env.CHAT_TOKEN_URL ?? "http://localhost:3000/api/chat/token";

async function getToken() {
  const response = await fetch(tokenUrl, { method: "POST" });
  if (!response.ok) throw new Error(`${tokenUrl} answered ${response.status}`);
  const data = (await response.json()) as { token: string };
  return data.token;
}

const token = await getToken();
const chat = new Whop({ apiKey: token });

const sent = await chat.messages.create({ channel_id, content: "Hello from the official SDK" });
console.log(`posted ${sent.id}`);

for await (const message of chat.messages.list({ channel_id })) {
  console.log(`${message.user.username}: ${message.content}`);
}

// Revoking is Hallpass's own addition, so the SDK has no method of its own for it.
const server = new Whop({ apiKey: process.env.WHOP_API_KEY });
await server.post("/access_tokens/revoke", { body: { token } });
const revokedAt = performance.now();

for (;;) {
  const elapsed_ms = Math.round(performance.now() - revokedAt);
  if (elapsed_ms > 1000) throw new Error("the token still worked a second after it was revoked");
  try {
    await chat.messages.list({ channel_id, first: 1 });
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    console.log(`refused with ${error.status} after ${elapsed_ms} ms`);
    break;
  }
}

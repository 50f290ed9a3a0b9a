/** An OAuth token in the official SDK: it chats, and it mints, for its own user and never for more. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import Whop, { APIError } from "@whop/sdk";

import { ann, ben, claims, demo, hallpass, newApp, post, refusedWithinASecond, signIn } from "./stage.ts";

const app = await newApp("none");
const { channel_id, company_id } = demo;
const whop = (apiKey: string) => new Whop({ apiKey, baseURL: hallpass.baseURL, maxRetries: 0 });

async function refusal(call: PromiseLike<unknown>): Promise<number | undefined> {
  const outcome = await Promise.resolve(call).then(
    (value) => assert.fail(`it was allowed: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof APIError, String(outcome));
  return outcome.status;
}

describe("an OAuth token in the official SDK", () => {
  it("posts and lists messages as its user", async () => {
    const { access_token } = await signIn(app);
    const chat = whop(access_token);
    const sent = await chat.messages.create({ channel_id, content: "Signed in with Hallpass" });
    assert.equal(sent.user.id, ann.id);
    const contents: (string | null)[] = [];
    for await (const message of chat.messages.list({ channel_id })) contents.push(message.content);
    assert.ok(contents.includes("Signed in with Hallpass"));
    assert.equal((await chat.users.retrieve("me")).id, ann.id);
  });

  it("does no more than was allowed", async () => {
    const { access_token } = await signIn(app, ann, { scope: "openid chat:read" });
    await whop(access_token).messages.list({ channel_id, first: 1 });
    assert.equal(await refusal(whop(access_token).messages.create({ channel_id, content: "no" })), 403);
    assert.equal(await refusal(whop(access_token).apps.create({ company_id, name: "no" })), 403);
  });

  it("is refused within a second of its revocation", async () => {
    const { access_token, refresh_token } = await signIn(app);
    await whop(access_token).messages.list({ channel_id, first: 1 });
    await post("/oauth/revoke", app, { token: refresh_token });
    await refusedWithinASecond(access_token);
    assert.equal(await refusal(whop(access_token).messages.list({ channel_id, first: 1 })), 401);
  });
});

describe("minting with an OAuth token", () => {
  it("gives a token of its own user, with less, that does not outlive it", async () => {
    const { access_token } = await signIn(app);
    const scoped_actions = ["chat:read"];
    const minted = await whop(access_token).accessTokens.create({ company_id, scoped_actions });
    const { sub, scope, exp, company_id: of } = claims(minted.token);
    assert.deepEqual([sub, scope, of], [ann.id, "chat:read", company_id]);
    assert.ok(exp <= claims(access_token).exp);
    await whop(minted.token).messages.list({ channel_id, first: 1 });
    assert.equal(await refusal(whop(minted.token).messages.create({ channel_id, content: "no" })), 403);
  });

  it("never for somebody else, never more than it may, never for another company", async () => {
    const { access_token } = await signIn(app, ann, { scope: "openid chat:read" });
    const mint = (body: Whop.AccessTokenCreateParams) =>
      whop(access_token).accessTokens.create({ scoped_actions: ["chat:read"], ...body });
    assert.equal(await refusal(mint({ company_id, user_id: ben.id })), 404);
    assert.equal(await refusal(mint({ company_id, scoped_actions: ["chat:message:create"] })), 403);
    assert.equal(await refusal(mint({ company_id: demo.other.company_id })), 404);
    const minted = await mint({ company_id });
    assert.equal(await refusal(whop(minted.token).accessTokens.create({ company_id })), 403);
  });

  it("what it minted dies with it", async () => {
    const { access_token, refresh_token } = await signIn(app);
    const { token } = await whop(access_token).accessTokens.create({ company_id, scoped_actions: ["chat:read"] });
    await post("/oauth/revoke", app, { token: refresh_token });
    await refusedWithinASecond(access_token);
    assert.equal(await refusal(whop(token).messages.list({ channel_id, first: 1 })), 401);
  });
});

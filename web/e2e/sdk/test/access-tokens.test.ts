import assert from "node:assert/strict";
import { describe } from "node:test";

import type { AccessTokenCreateParams } from "@whop/sdk/resources/access-tokens";
import { BadRequestError, NotFoundError, PermissionDeniedError } from "@whop/sdk";

import {
  ann,
  as,
  claims,
  company_id,
  connectedAccount,
  demo,
  details,
  hallpass,
  it,
  newChannel,
  nobody,
  owner,
  refusal,
  refusedWithin,
  stranger,
  whop,
} from "./stage.ts";

const user_id = hallpass.user("ann");
const hour_ms = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * hour_ms).toISOString();

/** Revoking is our addition; the SDK sends it as any undocumented request. */
function revoke(what: object): Promise<unknown> {
  return owner.post("/access_tokens/revoke", { body: what });
}

describe("accessTokens.create", () => {
  it("answers with a token that lives an hour", async () => {
    const minted = await owner.accessTokens.create({ company_id, user_id });
    assert.deepEqual(Object.keys(minted).sort(), ["expires_at", "token"]);
    const left_ms = Date.parse(minted.expires_at) - Date.now();
    assert.ok(Math.abs(left_ms - hour_ms) < 60_000, `${left_ms} ms left`);
    assert.equal(claims(minted.token).exp, Math.floor(Date.parse(minted.expires_at) / 1000));
  });

  it("keeps the wanted expiry, up to three hours", async () => {
    const expires_at = inHours(2.9);
    const minted = await owner.accessTokens.create({ company_id, user_id, expires_at });
    assert.ok(Math.abs(Date.parse(minted.expires_at) - Date.parse(expires_at)) < 1000, minted.expires_at);
  });

  for (const [what, expires_at] of [
    ["past", inHours(-1)],
    ["too far", inHours(3.1)],
    ["unreadable", "tomorrow"],
  ] as const) {
    it(`refuses an expiry that is ${what}`, async () => {
      const error = await refusal(BadRequestError, owner.accessTokens.create({ company_id, user_id, expires_at }));
      assert.equal(details(error).param, "expires_at");
    });
  }

  it("writes the scopes into the token and holds it to them", async () => {
    const { channel_id } = await newChannel();
    const { token } = await owner.accessTokens.create({ company_id, user_id, scoped_actions: ["chat:read"] });
    assert.equal(claims(token).scope, "chat:read");
    const reader = whop(token);
    await reader.messages.list({ channel_id });
    const error = await refusal(PermissionDeniedError, reader.messages.create({ channel_id, content: "Hello" }));
    assert.match(details(error).message, /chat:message:create/);
  });

  it("gives what the role allows when no scopes are named, and never management", async () => {
    for (const scoped_actions of [undefined, null, []]) {
      const { token } = await owner.accessTokens.create({
        company_id,
        user_id,
        ...(scoped_actions !== undefined && { scoped_actions }),
      });
      const scopes = claims(token).scope.split(" ");
      for (const wanted of ["chat:read", "chat:message:create", "dms:read", "support_chat:message:create"]) {
        assert.ok(scopes.includes(wanted), `${wanted} is missing of ${scopes}`);
      }
      assert.ok(!scopes.some((scope) => /^(company|member|developer|experience):/.test(scope)), scopes.join());
    }
  });

  it("takes account_id for company_id, and refuses the two when they differ", async () => {
    const newer = { account_id: company_id, user_id } as AccessTokenCreateParams;
    const { token } = await owner.accessTokens.create(newer);
    assert.equal(claims(token).company_id, company_id);
    const both = { ...newer, company_id: demo.other.company_id } as AccessTokenCreateParams;
    await refusal(BadRequestError, owner.accessTokens.create(both));
  });

  it("names the id that is missing", async () => {
    const withoutUser = await refusal(BadRequestError, owner.accessTokens.create({ company_id }));
    assert.equal(details(withoutUser).param, "user_id");
    const withoutCompany = await refusal(BadRequestError, owner.accessTokens.create({ user_id }));
    assert.equal(details(withoutCompany).param, "company_id");
    await refusal(BadRequestError, owner.accessTokens.create());
  });

  it("refuses an unknown scope and says which parameter", async () => {
    const error = await refusal(
      BadRequestError,
      owner.accessTokens.create({ company_id, user_id, scoped_actions: ["chat:read", "chat:everything"] }),
    );
    assert.match(details(error).param ?? "", /^scoped_actions/);
    assert.match(details(error).message, /chat:everything/);
  });

  it("refuses scopes wider than the key and names them", async () => {
    const child = await connectedAccount();
    const { secret_key } = await owner.companies.createAPIKey(company_id, {
      child_company_id: child.id,
      permissions: [{ actions: ["chat:read"], grant: true, resources: [child.id] }],
    });
    const narrow = whop(secret_key);
    const ask = { company_id: child.id, user_id: child.owner_user.id };
    await narrow.accessTokens.create({ ...ask, scoped_actions: ["chat:read"] });
    const error = await refusal(
      PermissionDeniedError,
      narrow.accessTokens.create({ ...ask, scoped_actions: ["chat:read", "chat:message:create"] }),
    );
    assert.match(details(error).message, /chat:message:create/);
  });

  it("mints for nobody the key cannot reach", async () => {
    await refusal(NotFoundError, owner.accessTokens.create({ company_id, user_id: demo.other.user_id }));
    await refusal(NotFoundError, owner.accessTokens.create({ company_id, user_id: nobody("user") }));
    await refusal(NotFoundError, owner.accessTokens.create({ company_id: demo.other.company_id, user_id }));
    await refusal(NotFoundError, stranger.accessTokens.create({ company_id, user_id }));
  });

  it("does not let a user token mint", async () => {
    await refusal(PermissionDeniedError, ann.accessTokens.create({ company_id, user_id }));
  });
});

describe("access_tokens/revoke", () => {
  it("ends one token within a second and spares the others", async () => {
    const { token } = await owner.accessTokens.create({ company_id, user_id });
    const [revoked, kept] = [whop(token), await as(user_id)];
    assert.deepEqual(await revoke({ token }), { revoked: true });
    await refusedWithin(1000, () => revoked.users.retrieve("me"));
    await kept.users.retrieve("me");
  });

  it("ends a token by its jti", async () => {
    const { token } = await owner.accessTokens.create({ company_id, user_id });
    assert.deepEqual(await revoke({ jti: claims(token).jti, company_id }), { revoked: true });
    await refusedWithin(1000, () => whop(token).users.retrieve("me"));
  });

  it("ends all tokens of a user in the company, and a new one works at once", async () => {
    const child = await connectedAccount();
    const [first, second] = [await as(child.owner_user.id), await as(child.owner_user.id)];
    assert.deepEqual(await revoke({ user_id: child.owner_user.id, company_id }), { revoked: true });
    await refusedWithin(1000, () => first.users.retrieve("me"));
    await refusedWithin(1000, () => second.users.retrieve("me"));
    await (await as(child.owner_user.id)).users.retrieve("me");
  });

  it("ends a key and the tokens it minted", async () => {
    const child = await connectedAccount();
    const key = await owner.companies.createAPIKey(company_id, { child_company_id: child.id, role: "owner" });
    const keyed = whop(key.secret_key);
    const { token } = await keyed.accessTokens.create({ company_id: child.id, user_id: child.owner_user.id });
    assert.deepEqual(await revoke({ api_key_id: key.id }), { revoked: true });
    await refusedWithin(1000, () => keyed.companies.retrieve(child.id));
    await refusedWithin(1000, () => whop(token).users.retrieve("me"));
  });

  it("does not reach another company's tokens", async () => {
    const { token } = await stranger.accessTokens.create({
      company_id: demo.other.company_id,
      user_id: demo.other.user_id,
    });
    await refusal(NotFoundError, revoke({ token }));
    await whop(token).users.retrieve("me");
  });
});

import assert from "node:assert/strict";
import { describe } from "node:test";

import { Hallpass } from "@hallpass/harness/hallpass";
import {
  AuthenticationError,
  BadRequestError,
  ConflictError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from "@whop/sdk";

import {
  ann,
  company_id,
  counted,
  demo,
  details,
  hallpass,
  id,
  it,
  newChannel,
  owner,
  refusal,
  whop,
} from "./stage.ts";

describe("errors", () => {
  it("BadRequestError: an id of the wrong kind", async () => {
    const { fetch, requests } = counted();
    const error = await refusal(BadRequestError, ann.withOptions({ fetch }).messages.list({ channel_id: company_id }));
    assert.equal(error.status, 400);
    assert.equal(details(error).param, "channel_id");
    assert.equal(requests.length, 1);
  });

  it("AuthenticationError: no credential, a mistyped key, a token with one letter changed", async () => {
    const { token } = await owner.accessTokens.create({ company_id, user_id: hallpass.user("ann") });
    const last = demo.api_key.endsWith("a") ? "b" : "a";
    const middle = Math.floor(token.length / 2);
    for (const apiKey of [
      "",
      "nonsense",
      demo.api_key.slice(0, -1) + last,
      token.slice(0, middle) + (token[middle] === "A" ? "B" : "A") + token.slice(middle + 1),
      token.slice(0, -1),
    ]) {
      const { fetch, requests } = counted();
      const error = await refusal(AuthenticationError, whop(apiKey, { fetch }).companies.retrieve(company_id));
      assert.equal(error.status, 401);
      assert.equal(requests.length, 1);
    }
  });

  it("PermissionDeniedError: names the scope that is missing", async () => {
    const error = await refusal(PermissionDeniedError, ann.companies.update(company_id, { title: "Taken over" }));
    assert.equal(error.status, 403);
    assert.match(details(error).message, /company:update/);
  });

  it("NotFoundError: a thing and a route that are not there", async () => {
    const missing = await refusal(NotFoundError, owner.companies.retrieve("biz_00000000000000000000000000"));
    assert.equal(missing.status, 404);
    await refusal(NotFoundError, owner.get("/nothing"));
    await refusal(NotFoundError, owner.post("/nothing", { body: {} }));
    await refusal(NotFoundError, owner.patch("/nothing"));
    await refusal(NotFoundError, owner.delete("/nothing"));
  });

  it("UnprocessableEntityError: a rule of the channel", async () => {
    const { channel_id } = await newChannel();
    await owner.chatChannels.update(channel_id, { banned_words: ["forbidden"] });
    const { fetch, requests } = counted();
    const error = await refusal(
      UnprocessableEntityError,
      ann.withOptions({ fetch }).messages.create({ channel_id, content: "forbidden" }),
    );
    assert.equal(error.status, 422);
    assert.ok(details(error).code);
    assert.equal(requests.length, 1);
  });

  it("ConflictError: one that will not change is tried once", async () => {
    const { channel_id } = await newChannel();
    const options = { headers: { "Idempotency-Key": "one key, two bodies" } };
    await ann.messages.create({ channel_id, content: "One" }, options);
    const { fetch, requests } = counted();
    const error = await refusal(
      ConflictError,
      ann.withOptions({ fetch }).messages.create({ channel_id, content: "Two" }, options),
    );
    assert.equal(error.status, 409);
    assert.equal(error.headers.get("x-should-retry"), "false");
    assert.equal(requests.length, 1);
  });

  it("RateLimitError: says when to come back", async () => {
    await using limited = await Hallpass.start("--limits");
    const key = whop(limited.ready.api_key, { maxRetries: 0 }, limited);
    const user = whop(
      (await key.accessTokens.create({ company_id: limited.ready.company_id, user_id: limited.user("ann") })).token,
      { maxRetries: 0 },
      limited,
    );
    // The default allows 600 calls a minute; some are given back while these run.
    const outcomes: unknown[] = [];
    while (outcomes.length < 3000 && !outcomes.some((outcome) => outcome instanceof Error)) {
      const batch = Array.from({ length: 50 }, () => user.users.retrieve("me").catch((error: unknown) => error));
      outcomes.push(...(await Promise.all(batch)));
    }
    assert.ok(outcomes.length >= 600, `limited after ${outcomes.length}`);
    const errors = outcomes.filter((outcome) => outcome instanceof Error);
    assert.ok(errors.length, "never limited");
    for (const error of errors) {
      assert.ok(error instanceof RateLimitError, String(error));
      assert.equal(error.status, 429);
      assert.match(details(error).message, /Try again in \d+ seconds?\./);
      assert.ok(Number(error.headers.get("retry-after")) >= 1);
    }
    // Another operation, and another user, are not affected.
    await user.messages.list({ channel_id: limited.ready.channel_id });
    await key.users.retrieve(limited.user("ben"));
  });

  it("carry a request id for the operator", async () => {
    const error = await refusal(NotFoundError, owner.companies.retrieve("biz_00000000000000000000000000"));
    assert.match((details(error) as { request_id?: string }).request_id ?? "", id("req"));
  });
});

describe("Api-Version-Date", () => {
  it("of the classic dialect, or absent, is served", async () => {
    for (const version of ["2025-01-01", "2026-06-08", "2026-07-08-1", "2026-07-20", null]) {
      const client = whop(demo.api_key, { version });
      assert.equal((await client.companies.retrieve(company_id)).id, company_id);
    }
  });

  it("known but later says not yet; unknown lists what is known", async () => {
    const later = await refusal(
      BadRequestError,
      whop(demo.api_key, { version: "2026-10-15-1" }).companies.retrieve(company_id),
    );
    assert.match(details(later).message, /not served yet/);
    for (const version of ["1999-01-01", "soon"]) {
      const unknown = await refusal(BadRequestError, whop(demo.api_key, { version }).companies.retrieve(company_id));
      assert.match(details(unknown).message, /2026-07-20/);
    }
  });
});

describe("Idempotency-Key", () => {
  const key = (name: string) => ({ headers: { "Idempotency-Key": name } });

  it("replays the answer and posts once", async () => {
    const { channel_id } = await newChannel();
    const first = await ann.messages.create({ channel_id, content: "Once" }, key("posts once"));
    const again = await ann.messages.create({ channel_id, content: "Once" }, key("posts once"));
    assert.deepEqual(again, first);
    assert.equal((await ann.messages.list({ channel_id })).data.length, 1);
  });

  it("belongs to one user", async () => {
    const { channel_id } = await newChannel();
    const ben = whop((await owner.accessTokens.create({ company_id, user_id: hallpass.user("ben") })).token);
    const first = await ann.messages.create({ channel_id, content: "Once each" }, key("one user's"));
    const second = await ben.messages.create({ channel_id, content: "Once each" }, key("one user's"));
    assert.notEqual(second.id, first.id);
  });

  it("never replays a secret", async () => {
    const child = await owner.companies.create({
      email: "idempotency@example.com",
      parent_company_id: company_id,
      title: "A connected account",
    });
    const ask = { child_company_id: child.id, role: "admin" } as const;
    await owner.companies.createAPIKey(company_id, ask, key("a secret"));
    const { fetch, requests } = counted();
    const error = await refusal(
      ConflictError,
      owner.withOptions({ fetch }).companies.createAPIKey(company_id, ask, key("a secret")),
    );
    assert.equal(error.headers.get("x-should-retry"), "false");
    assert.equal(requests.length, 1);
  });

  it("is ignored by minting", async () => {
    const ask = { company_id, user_id: hallpass.user("ann") };
    const first = await owner.accessTokens.create(ask, key("mint"));
    const second = await owner.accessTokens.create({ ...ask, scoped_actions: ["chat:read"] }, key("mint"));
    assert.notEqual(second.token, first.token);
  });

  it("over 255 characters is refused", async () => {
    const { channel_id } = await newChannel();
    await refusal(BadRequestError, ann.messages.create({ channel_id, content: "Long" }, key("k".repeat(256))));
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe } from "node:test";

import { BadRequestError, NotFoundError } from "@whop/sdk";

import { collect, company_id, freshEmail, id, it, owner, refusal, stranger } from "./stage.ts";

describe("accounts", () => {
  it("create makes a connected account of the key's company, once a key", async () => {
    const ask = {
      email: freshEmail(),
      metadata: { external_id: "user_12345" },
      "Idempotency-Key": randomUUID(),
    };
    const account = await owner.accounts.create(ask);
    assert.match(account.id, id("biz"));
    assert.equal(account.parent_account_id, company_id);
    assert.equal(account.title, "user_12345");
    assert.equal(account.email, ask.email);
    assert.deepEqual(await owner.accounts.create(ask), account);
    assert.deepEqual(await owner.accounts.retrieve(account.id), account);
    assert.equal((await owner.companies.retrieve(account.id)).route, account.route);
    await refusal(BadRequestError, owner.accounts.create({ title: "Without an address" }));
  });

  it("update changes what is kept, and takes what belongs to commerce", async () => {
    const { id: account_id } = await owner.accounts.create({ email: freshEmail(), title: "Before" });
    const changed = await owner.accounts.update(account_id, {
      title: "After",
      country: "de",
      tax_remitted_by: "self",
      require_2fa: true,
      metadata: { kept: true },
    });
    assert.equal(changed.title, "After");
    assert.equal(changed.country, "de");
    assert.equal(changed.require_2fa, false);
    assert.deepEqual(changed.metadata, { kept: true });
    await refusal(NotFoundError, stranger.accounts.update(account_id, { title: "Theirs" }));
  });

  it("me is the key's, and the list has it among its accounts", async () => {
    const me = await owner.accounts.me();
    assert.equal(me.id, company_id);
    const made = await owner.accounts.create({ email: freshEmail(), title: "Listed" });
    const listed = (await collect(owner.accounts.list({ first: 3, order: "created_at" }))).map((each) => each.id);
    assert.equal(listed[0], made.id);
    assert.equal(listed.filter((each) => each === company_id).length, 1);
    await refusal(NotFoundError, stranger.accounts.retrieve(made.id));
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe } from "node:test";

import { ConflictError, NotFoundError } from "@whop/sdk";

import { collect, company_id, connectedAccount, id, it, owner, refusal, stranger } from "./stage.ts";

const account_id = company_id;

describe("team members", () => {
  it("are created, retrieved, listed, updated and deleted", async () => {
    const user_id = (await connectedAccount()).owner_user.id;
    const ask = { account_id, user_id, role: "moderator" as const, "Idempotency-Key": randomUUID() };
    const made = await owner.teamMembers.create(ask);
    assert.match(made.id, id("ausr"));
    assert.equal(made.account_id, account_id);
    assert.equal(made.status, "joined");
    assert.equal(made.user?.id, user_id);
    assert.match(made.user?.profile_picture.url ?? "", /^http/);
    assert.deepEqual(await owner.teamMembers.create(ask), made, "once");
    assert.deepEqual(await owner.teamMembers.retrieve(made.id), made);
    assert.deepEqual(await collect(owner.teamMembers.list({ account_id, user_id })), [made]);
    assert.deepEqual(await collect(owner.teamMembers.list({ account_id, user_id, status: "pending" })), []);
    const raised = await owner.teamMembers.update(made.id, { role: "admin" });
    assert.equal(raised.role, "admin");
    await refusal(ConflictError, owner.teamMembers.create({ account_id, user_id, role: "advertiser" }));
    await refusal(NotFoundError, stranger.teamMembers.update(made.id, { role: "advertiser" }));
    assert.deepEqual(await owner.teamMembers.delete(made.id), { success: true });
    await refusal(NotFoundError, owner.teamMembers.delete(made.id));
  });

  it("are listed in both directions, page by page", async () => {
    const listed = async (direction: "asc" | "desc") =>
      (await collect(owner.teamMembers.list({ account_id, direction, order: "created_at", first: 1 }))).map((each) => each.id);
    const ascending = await listed("asc");
    assert.ok(ascending.length >= 3);
    assert.deepEqual(await listed("desc"), ascending.toReversed());
  });
});

import assert from "node:assert/strict";
import { describe } from "node:test";

import { NotFoundError, PermissionDeniedError, UnprocessableEntityError } from "@whop/sdk";

import {
  ann,
  as,
  collect,
  company_id,
  connectedAccount,
  demo,
  details,
  hallpass,
  id,
  it,
  owner,
  refusal,
  stranger,
} from "./stage.ts";

const annId = hallpass.user("ann");

describe("users", () => {
  it("retrieve finds a user by id, by username and as me", async () => {
    const byId = await owner.users.retrieve(annId, { account_id: company_id });
    assert.match(byId.id, id("user"));
    assert.equal(byId.username, "ann");
    assert.deepEqual(await owner.users.retrieve("ann", { account_id: company_id }), byId);
    assert.equal((await ann.users.retrieve("me")).id, annId);
  });

  it("check access says who gets in, and as what", async () => {
    const level = async (user: string, resource: string) => (await owner.users.checkAccess(resource, { id: user })).access_level;
    for (const resource of [company_id, demo.experience_id]) {
      assert.equal(await level(annId, resource), "customer");
      assert.equal(await level(hallpass.userWithRole("admin"), resource), "admin");
      assert.deepEqual(await ann.users.checkAccess(resource, { id: "me" }), { has_access: true, access_level: "customer" });
    }
    const hidden = await owner.experiences.create({ app_id: demo.app_id, company_id, name: "Hidden" });
    assert.equal(await level(annId, hidden.id), "no_access");
    await refusal(NotFoundError, ann.users.checkAccess(hidden.id, { id: "me" }));
    await refusal(NotFoundError, stranger.users.checkAccess(company_id, { id: annId }));
  });

  it("update with a company sets what that company shows, and leaves the global profile alone", async () => {
    const { owner_user } = await connectedAccount();
    const before = await owner.users.retrieve(owner_user.id);
    const override = await owner.users.update(owner_user.id, { account_id: company_id, name: "Shown here" });
    assert.equal(override.name, "Shown here");
    assert.equal((await owner.users.retrieve(owner_user.id, { account_id: company_id })).name, "Shown here");
    assert.deepEqual(await owner.users.retrieve(owner_user.id), before);

    const cleared = await owner.users.update(owner_user.id, {
      account_id: company_id,
      name: null as unknown as string,
    });
    assert.equal(cleared.name, before.name);
  });

  it("update without a company edits the global profile of the key's local users only", async () => {
    const { owner_user } = await connectedAccount();
    const changed = await owner.users.update(owner_user.id, { name: "A global name", bio: "About" });
    assert.equal(changed.name, "A global name");
    assert.equal(changed.bio, "About");
    assert.equal((await owner.users.retrieve(owner_user.id)).name, "A global name");
    await refusal(PermissionDeniedError, owner.users.update(annId, { name: "Somebody else" }));
  });

  it("updateMe changes the user's own profile, global or in the company", async () => {
    const { owner_user } = await connectedAccount();
    const self = await as(owner_user.id);
    assert.equal((await self.users.updateMe({ name: "Mine", bio: "About me" })).name, "Mine");
    assert.equal((await self.users.updateMe({ account_id: company_id, name: "Mine, here" })).name, "Mine, here");
    assert.equal((await self.users.retrieve("me", { account_id: company_id })).name, "Mine, here");
    const global = await self.users.retrieve("me");
    assert.equal(global.name, "Mine");
    assert.equal(global.bio, "About me");
  });

  it("update lets a user token change its own user and no other", async () => {
    const { owner_user } = await connectedAccount();
    const self = await as(owner_user.id);
    assert.equal((await self.users.update(owner_user.id, { name: "Mine" })).name, "Mine");
    await refusal(PermissionDeniedError, self.users.update(annId, { account_id: company_id, name: "Somebody else" }));
  });

  it("update holds names to a hundred characters, not bytes", async () => {
    const { owner_user } = await connectedAccount();
    const rename = (name: string) => owner.users.update(owner_user.id, { account_id: company_id, name });
    const longest = "\u{1f642}".repeat(100);
    assert.equal((await rename(longest)).name, longest);
    const error = await refusal(UnprocessableEntityError, rename(`${longest}n`));
    assert.equal(details(error).param, "name");
  });

  it("me is not for API keys", async () => {
    await refusal(PermissionDeniedError, owner.users.updateMe({ name: "Nobody" }));
    await refusal(PermissionDeniedError, owner.users.retrieve("me"));
  });

  it("list shows the key's users, by name, page by page", async () => {
    const { owner_user } = await connectedAccount();
    const all = await collect(owner.users.list({ first: 3 }));
    const ids = all.map((user) => user.id);
    assert.equal(new Set(ids).size, ids.length, "a user is listed twice");
    for (const wanted of [annId, hallpass.user("ben"), owner_user.id])
      assert.ok(ids.includes(wanted), `${wanted} is missing`);
    assert.ok(!ids.includes(demo.other.user_id), "another tenant's user is listed");

    const found = await collect(owner.users.list({ query: "ann" }));
    assert.ok(found.some((user) => user.id === annId));
    assert.ok(!found.some((user) => user.id === hallpass.user("ben")));
  });

  it("stay behind their tenant's wall", async () => {
    await refusal(NotFoundError, owner.users.retrieve(demo.other.user_id));
    await refusal(NotFoundError, stranger.users.update(annId, { account_id: company_id, name: "Taken over" }));
    await refusal(
      NotFoundError,
      stranger.users.update(annId, { account_id: demo.other.company_id, name: "Taken over" }),
    );
  });
});

import assert from "node:assert/strict";
import { describe } from "node:test";

import { NotFoundError, PermissionDeniedError } from "@whop/sdk";

import {
  ann,
  as,
  collect,
  company_id,
  connectedAccount,
  demo,
  freshEmail,
  hallpass,
  id,
  it,
  owner,
  refusal,
  refusedWithin,
  stranger,
} from "./stage.ts";

const people = ["ann", "ben", "cleo"].map((name) => hallpass.user(name));

describe("members", () => {
  it("list shows who is in the company, page by page", async () => {
    const listed = await collect(owner.members.list({ company_id, first: 2 }));
    const users = listed.map((member) => member.user?.id);
    for (const user of people)
      assert.equal(users.filter((each) => each === user).length, 1, `${user} is not there once`);
    assert.ok(!users.includes(demo.other.user_id));
    for (const member of listed) assert.match(member.id, id("mber"));
  });

  it("list filters by user, status, access and name", async () => {
    const listed = async (filter: object) =>
      (await collect(owner.members.list({ company_id, ...filter }))).map((member) => member.user?.id).sort();
    assert.deepEqual(await listed({ user_ids: people.slice(0, 2) }), people.slice(0, 2).sort());
    assert.deepEqual(await listed({ user_ids: people, statuses: ["joined"] }), people.toSorted());
    assert.deepEqual(await listed({ user_ids: people, statuses: ["left", "drafted"] }), []);
    assert.deepEqual(await listed({ user_ids: people, access_level: "customer" }), people.toSorted());
    assert.deepEqual(await listed({ user_ids: people, access_level: "admin" }), []);
    assert.ok((await listed({ access_level: "admin" })).includes(hallpass.userWithRole("admin")));
    assert.deepEqual(await listed({ query: "cleo" }), [hallpass.user("cleo")]);
  });

  it("list filters and sorts by what last happened", async () => {
    const all = await collect(owner.members.list({ company_id, order: "most_recent_action", direction: "asc", first: 2 }));
    const times = all.map((member) => member.most_recent_action_at ?? "");
    assert.deepEqual(times, times.toSorted());
    const left = await collect(owner.members.list({ company_id, most_recent_actions: ["left"], user_ids: people }));
    assert.deepEqual(left, []);
    const joined = await collect(owner.members.list({ company_id, most_recent_actions: ["joined"], user_ids: people }));
    assert.equal(joined.length, 3);
  });

  it("list sorts as asked", async () => {
    const listed = async (direction: "asc" | "desc") =>
      (await collect(owner.members.list({ company_id, user_ids: people, order: "id", direction, first: 2 }))).map(
        (member) => member.id,
      );
    const ascending = await listed("asc");
    assert.deepEqual(ascending, ascending.toSorted());
    assert.deepEqual(await listed("desc"), ascending.toReversed());
  });

  it("retrieve gives the member with its company", async () => {
    const [listed] = await collect(owner.members.list({ company_id, user_ids: [hallpass.user("ann")] }));
    assert.ok(listed);
    const member = await owner.members.retrieve(listed.id);
    assert.equal(member.company.id, company_id);
    assert.equal(member.user?.id, hallpass.user("ann"));
    assert.equal(member.status, "joined");
    assert.equal(member.access_level, "customer");
  });

  it("show the address their company supplied", async () => {
    const email = freshEmail();
    const { owner_user } = await owner.companies.create({ email, parent_company_id: company_id, title: "An account" });
    const [member] = await collect(owner.members.list({ company_id, user_ids: [owner_user.id] }));
    assert.equal(member?.user?.email, email);
    assert.deepEqual(await collect(owner.members.list({ company_id, query: email })), [member]);
  });

  it("come and go with enrolment, at once", async () => {
    const platform = await connectedAccount("A platform");
    const path = `/companies/${platform.id}/members/${hallpass.user("cleo")}`;
    const ask = { company_id: platform.id, user_id: hallpass.user("cleo") };
    await refusal(NotFoundError, owner.accessTokens.create(ask));

    await owner.put(path);
    const { token } = await owner.accessTokens.create(ask);
    const cleo = ann.withOptions({ apiKey: token });
    await cleo.users.retrieve("me");
    const [joined] = await collect(owner.members.list({ company_id: platform.id, user_ids: [ask.user_id] }));
    assert.equal(joined?.status, "joined");

    await owner.delete(path);
    await refusal(NotFoundError, owner.accessTokens.create(ask));
    await refusedWithin(1000, () => cleo.users.retrieve("me"));
    assert.deepEqual(
      await collect(owner.members.list({ company_id: platform.id, statuses: ["joined"], user_ids: [ask.user_id] })),
      [],
    );
  });

  it("need the member scopes, and stay behind their tenant's wall", async () => {
    await refusal(PermissionDeniedError, ann.members.list({ company_id }));
    await refusal(PermissionDeniedError, (await as(hallpass.user("ann"), ["chat:read"])).members.list({ company_id }));
    const [listed] = await collect(owner.members.list({ company_id, user_ids: people.slice(0, 1) }));
    assert.ok(listed);
    await refusal(NotFoundError, stranger.members.retrieve(listed.id));
    await refusal(NotFoundError, stranger.members.list({ company_id }));
  });
});

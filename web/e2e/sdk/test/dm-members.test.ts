import assert from "node:assert/strict";
import { describe } from "node:test";

import { BadRequestError, NotFoundError, PermissionDeniedError } from "@whop/sdk";

import { ann, as, collect, connectedAccount, id, it, nobody, refusal, stranger } from "./stage.ts";

/** A conversation of two, and a third who is not in it. */
async function conversation() {
  const accounts = [await connectedAccount(), await connectedAccount(), await connectedAccount()];
  const [one, two, three] = accounts.map((account) => account.owner_user.id) as [string, string, string];
  const [asOne, asTwo, asThree] = [await as(one), await as(two), await as(three)];
  const { id: channel_id } = await asOne.dmChannels.create({ with_user_ids: [two] });
  const members = await collect(asOne.dmMembers.list({ channel_id }));
  const seat = (user: string) => members.find((member) => member.user_id === user)?.id ?? assert.fail(user);
  return { one, two, three, asOne, asTwo, asThree, channel_id, seat };
}

describe("dmMembers", () => {
  it("list and retrieve show who is in it", async () => {
    const { one, two, asTwo, channel_id, seat } = await conversation();
    const listed = await collect(asTwo.dmMembers.list({ channel_id, first: 1 }));
    assert.deepEqual(new Set(listed.map((member) => member.user_id)), new Set([one, two]));
    for (const member of listed) {
      assert.match(member.id, id("fmem"));
      assert.deepEqual(
        { status: member.status, last_viewed_at: member.last_viewed_at, channel_id: member.channel_id },
        { status: "accepted", last_viewed_at: null, channel_id },
      );
      assert.ok(!("notification_preference" in member));
    }
    const retrieved = await asTwo.dmMembers.retrieve(seat(one));
    assert.equal(retrieved.notification_preference, "all");
    await refusal(NotFoundError, stranger.dmMembers.list({ channel_id }));
    await refusal(NotFoundError, ann.dmMembers.retrieve(seat(one)));
    await refusal(NotFoundError, ann.dmMembers.retrieve(nobody("fmem")));
  });

  it("create lets somebody in, by an admin, once", async () => {
    const { three, asOne, asTwo, asThree, channel_id } = await conversation();
    await refusal(PermissionDeniedError, asTwo.dmMembers.create({ channel_id, user_id: three }));
    await refusal(NotFoundError, asThree.messages.list({ channel_id }));
    const added = await asOne.dmMembers.create({ channel_id, user_id: three });
    assert.deepEqual([added.user_id, added.channel_id, added.status], [three, channel_id, "accepted"]);
    assert.deepEqual(await asOne.dmMembers.create({ channel_id, user_id: three }), added);
    await asThree.messages.create({ channel_id, content: "Hello" });
    await refusal(NotFoundError, asOne.dmMembers.create({ channel_id, user_id: nobody("user") }));
  });

  it("update sets one's own status and notifications", async () => {
    const { two, asOne, asTwo, seat } = await conversation();
    for (const status of ["requested", "hidden", "closed", "archived", "accepted"] as const) {
      assert.equal((await asTwo.dmMembers.update(seat(two), { status })).status, status);
    }
    const quiet = await asTwo.dmMembers.update(seat(two), { notification_preference: "none", status: null });
    assert.deepEqual([quiet.notification_preference, quiet.status], ["none", "accepted"]);
    assert.deepEqual(await asTwo.dmMembers.update(seat(two)), quiet);
    await refusal(PermissionDeniedError, asOne.dmMembers.update(seat(two), { status: "hidden" }));
    await refusal(BadRequestError, asTwo.dmMembers.update(seat(two), { status: "gone" } as object));
  });

  it("sending moves one's own read marker", async () => {
    const { one, two, asOne, channel_id, seat } = await conversation();
    await asOne.messages.create({ channel_id, content: "Hello" });
    const { last_viewed_at } = await asOne.dmMembers.retrieve(seat(one));
    assert.ok(Math.abs(Number(last_viewed_at) - Date.now()) < 60_000, String(last_viewed_at));
    assert.equal((await asOne.dmMembers.retrieve(seat(two))).last_viewed_at, null);
  });

  it("delete removes others, by an admin, and oneself", async () => {
    const { one, two, three, asOne, asTwo, asThree, channel_id, seat } = await conversation();
    await refusal(PermissionDeniedError, asTwo.dmMembers.delete(seat(one)));
    const added = await asOne.dmMembers.create({ channel_id, user_id: three });
    assert.equal(await asOne.dmMembers.delete(added.id), true);
    await refusal(NotFoundError, asThree.messages.list({ channel_id }));
    assert.equal(await asOne.dmMembers.delete(seat(one)), true);
    // Whoever stays inherits it, and ends it by leaving.
    await asTwo.dmChannels.update(channel_id, { custom_name: "Mine" });
    assert.equal(await asTwo.dmMembers.delete(seat(two)), true);
    await refusal(NotFoundError, asTwo.dmChannels.retrieve(channel_id));
  });
});

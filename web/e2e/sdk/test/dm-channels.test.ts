import assert from "node:assert/strict";
import { describe } from "node:test";

import { NotFoundError, PermissionDeniedError, UnprocessableEntityError } from "@whop/sdk";

import {
  ann,
  as,
  collect,
  company_id,
  connectedAccount,
  details,
  id,
  it,
  nobody,
  owner,
  refusal,
  stranger,
} from "./stage.ts";

/** Two users that nobody has talked to, with clients of their own. */
async function pair() {
  const [first, second] = [await connectedAccount(), await connectedAccount()];
  const [one, two] = [first.owner_user.id, second.owner_user.id];
  return { one, two, asOne: await as(one), asTwo: await as(two) };
}

describe("dmChannels", () => {
  it("create begins a conversation, and again finds it", async () => {
    const { one, two, asOne, asTwo } = await pair();
    const made = await asOne.dmChannels.create({ with_user_ids: [two], company_id, custom_name: "Plans" });
    assert.match(made.id, id("feed"));
    assert.equal(made.name, "Plans");
    assert.equal(made.last_message_at, null);
    assert.ok(Math.abs(Number(made.created_at) - Date.now()) < 60_000, made.created_at);
    assert.deepEqual(await asOne.dmChannels.create({ with_user_ids: [two], custom_name: "Other" }), made);
    assert.deepEqual(await asTwo.dmChannels.create({ with_user_ids: [one] }), made);
    assert.deepEqual(await asTwo.dmChannels.retrieve(made.id), made);
  });

  it("list shows the last active first, page by page", async () => {
    const { asOne } = await pair();
    const channels: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { owner_user } = await connectedAccount();
      channels.push((await asOne.dmChannels.create({ with_user_ids: [owner_user.id] })).id);
    }
    const [first, second, third] = channels as [string, string, string];
    await asOne.messages.create({ channel_id: first, content: "Up" });
    const listed = await collect(asOne.dmChannels.list({ company_id, first: 2 }));
    assert.deepEqual(
      listed.map((channel) => channel.id),
      [first, third, second],
    );
    assert.notEqual(listed[0]?.last_message_at, null);
    assert.ok((await collect(ann.dmChannels.list())).every((channel) => !channels.includes(channel.id)));
  });

  it("messages in it are its members' alone", async () => {
    const { two, asOne, asTwo } = await pair();
    const { id: channel_id } = await asOne.dmChannels.create({ with_user_ids: [two] });
    const sent = await asOne.messages.create({ channel_id, content: `Hello <@${two}>` });
    assert.deepEqual(sent.mentions, [two]);
    const reply = await asTwo.messages.create({ channel_id, content: "Hi", replying_to_message_id: sent.id });
    assert.deepEqual(
      (await collect(asOne.messages.list({ channel_id, direction: "asc" }))).map((message) => message.id),
      [sent.id, reply.id],
    );
    const edited = await asOne.messages.update(sent.id, { content: "Hello again", is_pinned: true });
    assert.equal(edited.is_edited, true);
    assert.deepEqual(await asTwo.messages.retrieve(sent.id), edited);
    for (const outsider of [ann, owner, stranger]) {
      await refusal(NotFoundError, outsider.dmChannels.retrieve(channel_id));
      await refusal(NotFoundError, outsider.messages.list({ channel_id }));
      await refusal(NotFoundError, outsider.messages.create({ channel_id, content: "Me too" }));
      await refusal(NotFoundError, outsider.messages.retrieve(sent.id));
    }
    await asTwo.messages.delete(reply.id);
    await refusal(NotFoundError, asOne.messages.retrieve(reply.id));
  });

  it("update renames it, by its admins", async () => {
    const { two, asOne, asTwo } = await pair();
    const { id: channel_id } = await asOne.dmChannels.create({ with_user_ids: [two] });
    assert.equal((await asOne.dmChannels.update(channel_id, { custom_name: "Plans" })).name, "Plans");
    await refusal(PermissionDeniedError, asTwo.dmChannels.update(channel_id, { custom_name: "Mine" }));
    assert.equal((await asOne.dmChannels.update(channel_id, { custom_name: null })).name, null);
  });

  it("delete ends it with all that was said, by its admins", async () => {
    const { one, two, asOne, asTwo } = await pair();
    const { id: channel_id } = await asOne.dmChannels.create({ with_user_ids: [two] });
    const sent = await asTwo.messages.create({ channel_id, content: "Gone soon" });
    await refusal(PermissionDeniedError, asTwo.dmChannels.delete(channel_id));
    assert.equal(await asOne.dmChannels.delete(channel_id), true);
    await refusal(NotFoundError, asTwo.dmChannels.retrieve(channel_id));
    await refusal(NotFoundError, asTwo.messages.retrieve(sent.id));
    assert.notEqual((await asTwo.dmChannels.create({ with_user_ids: [one] })).id, channel_id);
  });

  it("a key takes part in what keys began", async () => {
    const { one, two, asOne } = await pair();
    const official = await owner.dmChannels.create({ with_user_ids: [one], company_id });
    await owner.messages.create({ channel_id: official.id, content: "From the company" });
    assert.ok((await collect(owner.dmChannels.list({ company_id }))).some((channel) => channel.id === official.id));
    assert.equal((await collect(asOne.messages.list({ channel_id: official.id }))).length, 1);
    const personal = await asOne.dmChannels.create({ with_user_ids: [two] });
    await refusal(NotFoundError, owner.dmChannels.retrieve(personal.id));
  });

  it("people who cannot be found are all alike", async () => {
    const { asOne } = await pair();
    const messages = new Set<string>();
    for (const who of [nobody("user"), "nosuchname", "ann@example.com", "nobody@nowhere.test"]) {
      const error = await refusal(NotFoundError, asOne.dmChannels.create({ with_user_ids: [who] }));
      messages.add(details(error).message);
    }
    assert.equal(messages.size, 1);
    await refusal(UnprocessableEntityError, asOne.dmChannels.create({ with_user_ids: [] }));
  });
});

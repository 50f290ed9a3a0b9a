import assert from "node:assert/strict";
import { describe } from "node:test";

import { BadRequestError, NotFoundError, PermissionDeniedError, UnprocessableEntityError } from "@whop/sdk";

import {
  ann,
  as,
  ben,
  collect,
  company_id,
  connectedAccount,
  demo,
  details,
  hallpass,
  id,
  it,
  newChannel,
  nobody,
  owner,
  refusal,
  stranger,
  whop,
} from "./stage.ts";

describe("messages", () => {
  it("create posts into the demo channel, and everyone enrolled reads it", async () => {
    const sent = await ann.messages.create({ channel_id: demo.channel_id, content: "Hello, **world**" });
    assert.match(sent.id, id("post"));
    assert.equal(sent.content, "Hello, **world**");
    assert.equal(sent.user.id, hallpass.user("ann"));
    assert.equal(sent.user.username, "ann");
    assert.equal(sent.message_type, "regular");
    assert.equal(sent.is_edited, false);
    assert.equal(sent.is_pinned, false);
    assert.equal(sent.replying_to_message_id, null);
    assert.deepEqual(await ben.messages.retrieve(sent.id), sent);
    const [newest] = (await ben.messages.list({ channel_id: demo.channel_id, direction: "desc", first: 1 })).data;
    assert.deepEqual(newest, sent);
  });

  it("create takes the experience's id for the channel's", async () => {
    const { channel_id, experience_id } = await newChannel();
    const sent = await ann.messages.create({ channel_id: experience_id, content: "By the other id" });
    assert.deepEqual(await collect(ann.messages.list({ channel_id })), [sent]);
    assert.deepEqual(await collect(ann.messages.list({ channel_id: experience_id })), [sent]);
  });

  it("content is stored exactly as sent", async () => {
    const { channel_id } = await newChannel();
    const contents = [
      "# Markdown\n\n- *stays* `as` [it](https://example.com/?a=1&b=2) is\n",
      "<script>alert(1)</script> &amp; \"quotes\" 'and' \\ backslashes",
      "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} emoji, \u{5e9}\u{5dc}\u{5d5}\u{5dd} right to left, zero\u{200b}width, e\u{301} decomposed",
      "  leading and trailing  ",
    ];
    for (const content of contents) await ann.messages.create({ channel_id, content });
    const stored = await collect(ann.messages.list({ channel_id, direction: "asc" }));
    assert.deepEqual(
      stored.map((message) => message.content),
      contents,
    );
  });

  it("create refuses what is no message, and says what is wrong with it", async () => {
    const { channel_id } = await newChannel();
    const nul = await refusal(UnprocessableEntityError, ann.messages.create({ channel_id, content: "NUL \0 byte" }));
    assert.ok(details(nul).code);
    for (const content of ["", "x".repeat(100_000)]) {
      const error = await refusal(UnprocessableEntityError, ann.messages.create({ channel_id, content }));
      assert.equal(details(error).param, "content");
    }
    const missing = await refusal(
      BadRequestError,
      ann.messages.create({ channel_id } as { channel_id: string; content: string }),
    );
    assert.equal(details(missing).param, "content");
    assert.deepEqual(await collect(ann.messages.list({ channel_id })), []);
  });

  it("a reply points at its message, and a mention at its user", async () => {
    const { channel_id } = await newChannel();
    const question = await ann.messages.create({ channel_id, content: "A question" });
    const answer = await ben.messages.create({
      channel_id,
      content: "An answer for @ann",
      replying_to_message_id: question.id,
    });
    assert.equal(answer.replying_to_message_id, question.id);
    assert.deepEqual(answer.mentions, [hallpass.user("ann")]);
    assert.equal(answer.mentions_everyone, false);

    const elsewhere = await newChannel();
    const across = { channel_id: elsewhere.channel_id, content: "Across", replying_to_message_id: question.id };
    const error = await refusal(UnprocessableEntityError, ann.messages.create(across));
    assert.equal(details(error).param, "replying_to_message_id");
  });

  it("a poll keeps its options", async () => {
    const { channel_id } = await newChannel();
    const options = [
      { id: "1", text: "Yes" },
      { id: "2", text: "No" },
    ];
    const asked = await ann.messages.create({ channel_id, content: "Shall we?", poll: { options } });
    assert.deepEqual(asked.poll, { options });
    assert.deepEqual((await ben.messages.retrieve(asked.id)).poll, { options });
    const [first] = options;
    const gap = { options: [first!, { id: "3", text: "Perhaps" }] };
    const error = await refusal(
      UnprocessableEntityError,
      ann.messages.create({ channel_id, content: "Shall we?", poll: gap }),
    );
    assert.match(details(error).param ?? "", /^poll/);
  });

  it("update edits the content and says so", async () => {
    const { channel_id } = await newChannel();
    const sent = await ann.messages.create({ channel_id, content: "Frist" });
    const edited = await ann.messages.update(sent.id, { content: "First" });
    assert.equal(edited.content, "First");
    assert.equal(edited.is_edited, true);
    assert.equal(edited.created_at, sent.created_at);
    assert.ok(Date.parse(edited.updated_at) >= Date.parse(sent.updated_at));
    assert.deepEqual(await ben.messages.retrieve(sent.id), edited);
    assert.deepEqual(await ann.messages.update(sent.id), edited);
  });

  it("update pins and unpins without calling it an edit", async () => {
    const { channel_id } = await newChannel();
    const sent = await ann.messages.create({ channel_id, content: "Keep this" });
    const moderator = await as(hallpass.userWithRole("moderator"));
    const pinned = await moderator.messages.update(sent.id, { is_pinned: true });
    assert.equal(pinned.is_pinned, true);
    assert.equal(pinned.is_edited, false);
    assert.equal((await moderator.messages.update(sent.id, { is_pinned: false })).is_pinned, false);
  });

  it("update and delete are for the author, and deleting for moderators too", async () => {
    const { channel_id } = await newChannel();
    const [first, second] = [
      await ann.messages.create({ channel_id, content: "Mine" }),
      await ann.messages.create({ channel_id, content: "Mine as well" }),
    ];
    await refusal(PermissionDeniedError, ben.messages.update(first.id, { content: "Not yours" }));
    await refusal(PermissionDeniedError, ben.messages.delete(first.id));
    const moderator = await as(hallpass.userWithRole("moderator"));
    await refusal(PermissionDeniedError, moderator.messages.update(first.id, { content: "Not yours" }));
    assert.equal(await moderator.messages.delete(first.id), true);
    assert.equal(await ann.messages.delete(second.id), true);
  });

  it("delete answers true, once, and the message is gone", async () => {
    const { channel_id } = await newChannel();
    const kept = await ann.messages.create({ channel_id, content: "Kept" });
    const sent = await ann.messages.create({ channel_id, content: "Regretted" });
    assert.equal(await ann.messages.delete(sent.id), true);
    await refusal(NotFoundError, ann.messages.delete(sent.id));
    await refusal(NotFoundError, ann.messages.retrieve(sent.id));
    await refusal(NotFoundError, ann.messages.update(sent.id, { content: "Back" }));
    assert.deepEqual(await collect(ann.messages.list({ channel_id })), [kept]);
  });

  it("a name set for the company is the name in its channels", async () => {
    const { channel_id } = await newChannel();
    const { owner_user } = await connectedAccount();
    const member = await as(owner_user.id);
    await member.messages.create({ channel_id, content: "Before" });
    await owner.users.update(owner_user.id, { account_id: company_id, name: "Shown here" });
    await member.messages.create({ channel_id, content: "After" });
    const names = (await collect(ann.messages.list({ channel_id }))).map((message) => message.user.name);
    assert.deepEqual(names, ["Shown here", "Shown here"]);
  });

  it("stay behind their tenant's wall", async () => {
    const { channel_id } = await newChannel();
    const sent = await ann.messages.create({ channel_id, content: "Within" });
    const { token } = await stranger.accessTokens.create({
      company_id: demo.other.company_id,
      user_id: demo.other.user_id,
    });
    for (const outsider of [stranger, whop(token)]) {
      await refusal(NotFoundError, outsider.messages.list({ channel_id }));
      await refusal(NotFoundError, outsider.messages.retrieve(sent.id));
      await refusal(NotFoundError, outsider.messages.update(sent.id, { content: "Taken over" }));
      await refusal(NotFoundError, outsider.messages.delete(sent.id));
      await refusal(NotFoundError, outsider.messages.create({ channel_id, content: "Inside" }));
    }
    await refusal(NotFoundError, ann.messages.list({ channel_id: demo.other.channel_id }));
    await refusal(NotFoundError, ann.messages.list({ channel_id: nobody("chat_feed") }));
    await refusal(NotFoundError, ann.messages.retrieve(nobody("post")));
    assert.deepEqual(await ann.messages.retrieve(sent.id), sent);
  });
});

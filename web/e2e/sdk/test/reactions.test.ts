import assert from "node:assert/strict";
import { describe } from "node:test";

import { BadRequestError, NotFoundError, PermissionDeniedError, UnprocessableEntityError } from "@whop/sdk";

import {
  ann,
  as,
  ben,
  collect,
  company_id,
  details,
  hallpass,
  id,
  it,
  newChannel,
  nobody,
  owner,
  refusal,
  stranger,
} from "./stage.ts";

const options = ["Tea", "Coffee", "Water"].map((text, n) => ({ id: String(n + 1), text }));

describe("reactions", () => {
  it("create takes a shortcode or an emoji and answers the shortcode; the same again is the same", async () => {
    const { channel_id } = await newChannel();
    const message = await ann.messages.create({ channel_id, content: "Hello" });
    const made = await ann.reactions.create({ resource_id: message.id, emoji: ":heart:" });
    assert.match(made.id, id("reac"));
    assert.equal(made.resource_id, message.id);
    assert.equal(made.emoji, ":heart:");
    assert.equal(made.user.id, hallpass.user("ann"));
    assert.deepEqual(await ann.reactions.create({ resource_id: message.id, emoji: "\u{2764}\u{fe0f}" }), made);
    const thumb = await ben.reactions.create({ resource_id: message.id, emoji: "\u{1f44d}\u{1f3ff}" });
    assert.equal(thumb.emoji, ":+1:");
    await ben.reactions.create({ resource_id: message.id, emoji: ":heart:" });
    assert.deepEqual(await ben.reactions.retrieve(made.id), made);
    const counts = (await ann.messages.retrieve(message.id)).reaction_counts;
    assert.deepEqual(new Map(counts.map(({ emoji, count }) => [emoji, count])), new Map([[":heart:", 2], [":+1:", 1]]));
    const [listed] = (await ann.messages.list({ channel_id, first: 1 })).data;
    assert.deepEqual(listed?.reaction_counts, counts);
  });

  it("list walks every reaction of a message once", async () => {
    const { channel_id } = await newChannel();
    const message = await ann.messages.create({ channel_id, content: "Hello" });
    const emoji = [":heart:", ":tada:", ":eyes:", ":rocket:", ":fire:"];
    for (const one of emoji) await ann.reactions.create({ resource_id: message.id, emoji: one });
    const all = await collect(ann.reactions.list({ resource_id: message.id, first: 2 }));
    assert.deepEqual(all.map((reaction) => reaction.emoji).sort(), [...emoji].sort());
    assert.equal(new Set(all.map((reaction) => reaction.id)).size, emoji.length);
  });

  it("delete takes the reaction's id, or the message's with the emoji", async () => {
    const { channel_id } = await newChannel();
    const message = await ann.messages.create({ channel_id, content: "Hello" });
    const made = await ann.reactions.create({ resource_id: message.id, emoji: ":+1:" });
    await ann.reactions.create({ resource_id: message.id, emoji: ":heart:" });
    assert.equal(details(await refusal(PermissionDeniedError, ben.reactions.delete(made.id))).code, "not_author");
    assert.equal(await ann.reactions.delete(made.id), true);
    await refusal(NotFoundError, ann.reactions.retrieve(made.id));
    assert.equal(await ann.reactions.delete(message.id, { emoji: ":heart:" }), true);
    await refusal(NotFoundError, ann.reactions.delete(message.id, { emoji: ":heart:" }));
    await refusal(BadRequestError, ann.reactions.delete(message.id));
    assert.deepEqual((await ann.messages.retrieve(message.id)).reaction_counts, []);
    const again = await ann.reactions.create({ resource_id: message.id, emoji: "\u{1f44d}" });
    assert.equal(await ann.reactions.delete(message.id, { emoji: ":+1:" }), true);
    const moderator = await as(hallpass.userWithRole("moderator"));
    const third = await ann.reactions.create({ resource_id: message.id, emoji: "\u{1f44d}" });
    assert.notEqual(third.id, again.id);
    assert.equal(await moderator.reactions.delete(third.id), true);
  });

  it("refuses what is no reaction, and says what is wrong with it", async () => {
    const { channel_id } = await newChannel();
    const message = await ann.messages.create({ channel_id, content: "Hello" });
    const resource_id = message.id;
    for (const emoji of ["", "heart", ":no_such_emoji:", "two \u{1f44d}\u{1f44d}"]) {
      const error = await refusal(UnprocessableEntityError, ann.reactions.create({ resource_id, emoji }));
      assert.equal(details(error).param, "emoji");
    }
    await refusal(BadRequestError, ann.reactions.create({ resource_id }));
    await refusal(BadRequestError, ann.reactions.create({ resource_id, emoji: ":heart:", poll_option_id: "1" }));
    const none = await refusal(UnprocessableEntityError, ann.reactions.create({ resource_id, poll_option_id: "1" }));
    assert.equal(details(none).param, "poll_option_id");
    await refusal(NotFoundError, ann.reactions.create({ resource_id: nobody("post"), emoji: ":heart:" }));
    await refusal(NotFoundError, ann.reactions.retrieve(nobody("reac")));
    const rule = await owner.chatChannels.update(channel_id, { who_can_react: "no_one" });
    assert.equal(rule.who_can_react, "no_one");
    const error = await refusal(PermissionDeniedError, ann.reactions.create({ resource_id, emoji: ":heart:" }));
    assert.equal(details(error).code, "who_can_react");
  });

  it("is for those who may read the channel", async () => {
    const { channel_id } = await newChannel();
    const message = await ann.messages.create({ channel_id, content: "Hello" });
    const made = await ann.reactions.create({ resource_id: message.id, emoji: ":heart:" });
    await refusal(NotFoundError, stranger.reactions.create({ resource_id: message.id, emoji: ":heart:" }));
    await refusal(NotFoundError, stranger.reactions.retrieve(made.id));
    await refusal(NotFoundError, collect(stranger.reactions.list({ resource_id: message.id })));
    await refusal(NotFoundError, stranger.reactions.delete(made.id));
    const writer = await as(hallpass.user("ann"), ["chat:message:create"]);
    await refusal(PermissionDeniedError, writer.reactions.create({ resource_id: message.id, emoji: ":heart:" }));
  });
});

describe("polls", () => {
  it("a poll keeps its options, and a user has one vote that moves", async () => {
    const { channel_id } = await newChannel();
    const message = await ann.messages.create({ channel_id, content: "Which?", poll: { options } });
    assert.deepEqual(message.poll, { options });
    const votes = async () => {
      const { poll_votes } = await ben.messages.retrieve(message.id);
      assert.deepEqual(poll_votes.map((vote) => vote.option_id), ["1", "2", "3"]);
      return poll_votes.map((vote) => vote.count);
    };
    assert.deepEqual(await votes(), [0, 0, 0]);
    const vote = await ann.reactions.create({ resource_id: message.id, poll_option_id: "2" });
    assert.equal(vote.emoji, null);
    await ben.reactions.create({ resource_id: message.id, poll_option_id: "2" });
    assert.deepEqual(await votes(), [0, 2, 0]);
    const moved = await ann.reactions.create({ resource_id: message.id, poll_option_id: "3" });
    assert.equal(moved.id, vote.id);
    assert.deepEqual(await votes(), [0, 1, 1]);
    assert.equal(await ann.reactions.delete(vote.id), true);
    assert.deepEqual(await votes(), [0, 1, 0]);
    assert.deepEqual((await ann.messages.retrieve(message.id)).reaction_counts, []);
    const error = await refusal(
      UnprocessableEntityError,
      ann.reactions.create({ resource_id: message.id, poll_option_id: "4" }),
    );
    assert.equal(details(error).code, "poll_option_not_found");
  });
});

describe("search", () => {
  it("finds what was said a moment ago, newest first, for those who may read it", async () => {
    const { channel_id } = await newChannel();
    const word = `needle${Date.now()}`;
    const contents = [`One ${word}`, `Two ${word}, Café`];
    for (const content of contents) await ann.messages.create({ channel_id, content });
    const search = (who: typeof ann, query: string) =>
      who.get("/messages/search", { query: { query, company_id } }) as Promise<{ data: { content: string }[] }>;
    const deadline = performance.now() + 10_000;
    let found = await search(ann, word);
    while (found.data.length < contents.length && performance.now() < deadline) found = await search(ann, word);
    assert.deepEqual(new Set(found.data.map((message) => message.content)), new Set(contents));
    assert.deepEqual((await search(ann, `cafe ${word}`)).data.map((message) => message.content), [contents[1]]);
    await refusal(NotFoundError, search(stranger, word));
  });
});

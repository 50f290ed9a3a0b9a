import assert from "node:assert/strict";
import { describe } from "node:test";

import Whop, { BadRequestError, NotFoundError, PermissionDeniedError } from "@whop/sdk";

import {
  ann,
  as,
  collect,
  company_id,
  connectedAccount,
  demo,
  hallpass,
  id,
  it,
  nobody,
  owner,
  refusal,
  stranger,
} from "./stage.ts";

/** For what the contract does not know: the two extensions. */
const plain = new Whop({ apiKey: demo.api_key, baseURL: hallpass.baseURL });

/** A customer with a support chat, and a client of their own. */
async function customer() {
  const { owner_user } = await connectedAccount();
  const channel = await owner.supportChannels.create({ company_id, user_id: owner_user.id, custom_name: "Help" });
  return { user_id: owner_user.id, channel, asCustomer: await as(owner_user.id) };
}

describe("supportChannels", () => {
  it("create opens one per customer, and again finds it", async () => {
    const { user_id, channel } = await customer();
    assert.match(channel.id, id("feed"));
    assert.deepEqual(
      [channel.company_id, channel.custom_name, channel.customer_user?.id, channel.resolved_at, channel.last_message_at],
      [company_id, "Help", user_id, null, null],
    );
    assert.deepEqual(await owner.supportChannels.create({ company_id, user_id }), channel);
    const username = channel.customer_user?.username ?? assert.fail();
    assert.equal((await owner.supportChannels.create({ company_id, user_id: username })).id, channel.id);
    await refusal(NotFoundError, owner.supportChannels.create({ company_id, user_id: nobody("user") }));
    await refusal(NotFoundError, stranger.supportChannels.create({ company_id, user_id }));
    await refusal(PermissionDeniedError, ann.supportChannels.create({ company_id, user_id: hallpass.user("ann") }));
  });

  it("retrieve is for the customer and the team", async () => {
    const { channel, asCustomer } = await customer();
    for (const who of [asCustomer, owner, await as(hallpass.userWithRole("moderator"))]) {
      assert.deepEqual(await who.supportChannels.retrieve(channel.id), channel);
      assert.equal((await who.dmChannels.retrieve(channel.id)).name, "Help");
    }
    await refusal(NotFoundError, ann.supportChannels.retrieve(channel.id));
    await refusal(NotFoundError, stranger.supportChannels.retrieve(channel.id));
  });

  it("list filters by state and view, and orders", async () => {
    const [first, second] = [await customer(), await customer()];
    await first.asCustomer.messages.create({ channel_id: first.channel.id, content: "Hello?" });
    const mine = new Set([first.channel.id, second.channel.id]);
    const ids = async (query: object) =>
      (await collect(owner.supportChannels.list({ company_id, first: 2, ...query })))
        .map((channel) => channel.id)
        .filter((each) => mine.has(each));
    assert.deepEqual(await ids({ order: "last_post_sent_at" }), [first.channel.id, second.channel.id]);
    assert.deepEqual(await ids({ order: "created_at" }), [second.channel.id, first.channel.id]);
    assert.deepEqual(await ids({ order: "created_at", direction: "asc" }), [first.channel.id, second.channel.id]);
    assert.deepEqual(await ids({ open: true, view: "admin" }), [first.channel.id, second.channel.id]);
    assert.deepEqual(await ids({ open: false }), []);
    assert.deepEqual(await ids({ view: "customer" }), []);
    const own = await collect(first.asCustomer.supportChannels.list());
    assert.deepEqual(
      own.map((channel) => channel.id),
      [first.channel.id],
    );
    await refusal(BadRequestError, owner.supportChannels.list({ order: "id" } as object));
    await refusal(NotFoundError, stranger.supportChannels.list({ company_id }));
  });

  it("the team resolves it, and the customer's next message reopens it", async () => {
    const { channel, asCustomer } = await customer();
    const resolved = await plain.post<{ resolved_at: string | null }>(`/support_channels/${channel.id}/resolve`);
    assert.notEqual(resolved.resolved_at, null);
    await owner.messages.create({ channel_id: channel.id, content: "Solved" });
    assert.notEqual((await asCustomer.supportChannels.retrieve(channel.id)).resolved_at, null);
    const sent = await asCustomer.messages.create({ channel_id: channel.id, content: "No" });
    const open = await owner.supportChannels.retrieve(channel.id);
    assert.deepEqual([open.resolved_at, open.last_message_at], [null, sent.created_at]);
    await plain.post(`/support_channels/${channel.id}/resolve`);
    await plain.post(`/support_channels/${channel.id}/reopen`);
    assert.equal((await owner.supportChannels.retrieve(channel.id)).resolved_at, null);
  });

  it("messages go both ways, and nobody else reads them", async () => {
    const { channel, asCustomer } = await customer();
    const question = await asCustomer.messages.create({ channel_id: channel.id, content: "How?" });
    const answer = await owner.messages.create({
      channel_id: channel.id,
      content: "So",
      replying_to_message_id: question.id,
    });
    assert.deepEqual(
      (await collect(asCustomer.messages.list({ channel_id: channel.id }))).map((message) => message.id),
      [answer.id, question.id],
    );
    assert.equal((await asCustomer.messages.update(question.id, { content: "How, please?" })).is_edited, true);
    await refusal(PermissionDeniedError, asCustomer.messages.delete(answer.id));
    await refusal(NotFoundError, ann.messages.list({ channel_id: channel.id }));
    await refusal(NotFoundError, ann.messages.retrieve(question.id));
    assert.equal(await owner.messages.delete(question.id), true);
    assert.ok((await collect(asCustomer.dmChannels.list())).some((each) => each.id === channel.id));
  });
});

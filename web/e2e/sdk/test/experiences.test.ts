import assert from "node:assert/strict";
import { describe } from "node:test";

import { NotFoundError, PermissionDeniedError } from "@whop/sdk";

import {
  ann,
  collect,
  company_id,
  connectedAccount,
  demo,
  id,
  it,
  newChannel,
  owner,
  refusal,
  stranger,
} from "./stage.ts";

const app_id = demo.app_id;

/** A product the server has not heard of yet; attaching makes it. */
const product = (experience_id: string): string => `prod_${experience_id.slice("exp_".length)}`;

describe("experiences", () => {
  it("create makes one, with a chat channel that answers to both ids", async () => {
    const made = await owner.experiences.create({ app_id, company_id, is_public: true, name: "General" });
    assert.match(made.id, id("exp"));
    assert.equal(made.name, "General");
    assert.equal(made.is_public, true);
    assert.equal(made.app.id, app_id);
    assert.equal(made.company.id, company_id);
    assert.deepEqual(made.products, []);
    assert.deepEqual(await owner.experiences.retrieve(made.id), made);

    const channel = await owner.chatChannels.retrieve(made.id);
    assert.match(channel.id, id("chat_feed"));
    assert.equal(channel.experience.id, made.id);
    assert.deepEqual(await owner.chatChannels.retrieve(channel.id), channel);
  });

  it("create takes the app's name when none is given", async () => {
    const made = await owner.experiences.create({ app_id, company_id });
    assert.equal(made.name, made.app.name);
  });

  it("update changes name, order and who may see it", async () => {
    const { experience_id } = await newChannel();
    const renamed = await owner.experiences.update(experience_id, { name: "Renamed", order: "12.5" });
    assert.equal(renamed.name, "Renamed");
    assert.equal(renamed.order, "12.5");
    assert.equal(renamed.is_public, true);
    assert.equal((await owner.experiences.update(experience_id, { access_level: "private" })).is_public, false);
    assert.equal((await owner.experiences.update(experience_id, { is_public: true })).is_public, true);
    assert.equal((await owner.chatChannels.retrieve(experience_id)).experience.name, "Renamed");
  });

  it("made private, shut out a reader at once", async () => {
    const { experience_id, channel_id } = await newChannel();
    await ann.messages.list({ channel_id });
    await owner.experiences.update(experience_id, { is_public: false });
    await refusal(NotFoundError, ann.messages.list({ channel_id }));
    await refusal(NotFoundError, ann.experiences.retrieve(experience_id));
  });

  it("attach and detach a product, each once", async () => {
    const { experience_id } = await newChannel();
    const product_id = product(experience_id);
    for (let again = 0; again < 2; again++) {
      const attached = await owner.experiences.attach(experience_id, { product_id });
      assert.deepEqual(
        attached.products.map(({ id, title }) => ({ id, title })),
        [{ id: product_id, title: product_id }],
      );
    }
    const listed = await collect(owner.experiences.list({ company_id, product_id }));
    assert.deepEqual(
      listed.map((each) => each.id),
      [experience_id],
    );
    for (let again = 0; again < 2; again++) {
      assert.deepEqual((await owner.experiences.detach(experience_id, { product_id })).products, []);
    }
    assert.deepEqual(await collect(owner.experiences.list({ company_id, product_id })), []);
  });

  it("duplicate copies settings and products, not what was said", async () => {
    const { experience_id, channel_id } = await newChannel("The first");
    const product_id = product(experience_id);
    await owner.experiences.attach(experience_id, { product_id });
    await owner.chatChannels.update(channel_id, { banned_words: ["forbidden"], user_posts_cooldown_seconds: 5 });
    await ann.messages.create({ channel_id, content: "Only here" });

    const copy = await owner.experiences.duplicate(experience_id, { name: "The second" });
    assert.notEqual(copy.id, experience_id);
    assert.equal(copy.name, "The second");
    assert.deepEqual(
      copy.products.map((each) => each.id),
      [product_id],
    );
    const channel = await owner.chatChannels.retrieve(copy.id);
    assert.deepEqual(channel.banned_words, ["forbidden"]);
    assert.equal(channel.user_posts_cooldown_seconds, 5);
    assert.deepEqual(await collect(ann.messages.list({ channel_id: channel.id })), []);
    await owner.experiences.duplicate(experience_id);
  });

  it("delete answers true, once, and takes the channel along", async () => {
    const { experience_id, channel_id } = await newChannel();
    const sent = await ann.messages.create({ channel_id, content: "Last words" });
    assert.equal(await owner.experiences.delete(experience_id), true);
    await refusal(NotFoundError, owner.experiences.delete(experience_id));
    await refusal(NotFoundError, owner.experiences.retrieve(experience_id));
    await refusal(NotFoundError, owner.chatChannels.retrieve(channel_id));
    await refusal(NotFoundError, ann.messages.retrieve(sent.id));
  });

  it("list walks the company's, page by page, and filters", async () => {
    const { id: child_id } = await connectedAccount();
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      made.push((await owner.experiences.create({ app_id, company_id: child_id, name: `Number ${n}` })).id);
    }
    const listed = async (filter: object) =>
      (await collect(owner.experiences.list({ company_id: child_id, first: 2, ...filter })))
        .map((each) => each.id)
        .sort();
    assert.deepEqual(await listed({}), made.toSorted());
    assert.deepEqual(await listed({ app_id }), made.toSorted());
    const last = await owner.experiences.retrieve(made[4]!);
    assert.deepEqual(await listed({ created_after: last.created_at }), []);
    const first = await owner.experiences.retrieve(made[0]!);
    assert.deepEqual(await listed({ created_before: first.created_at }), []);
  });

  it("need their scopes, and stay behind their tenant's wall", async () => {
    const { experience_id } = await newChannel();
    await refusal(PermissionDeniedError, ann.experiences.create({ app_id, company_id }));
    await refusal(PermissionDeniedError, ann.experiences.update(experience_id, { name: "Taken over" }));
    await refusal(PermissionDeniedError, ann.experiences.delete(experience_id));
    await refusal(NotFoundError, stranger.experiences.retrieve(experience_id));
    await refusal(NotFoundError, stranger.experiences.update(experience_id, { name: "Taken over" }));
    await refusal(NotFoundError, stranger.experiences.attach(experience_id, { product_id: product(experience_id) }));
    await refusal(NotFoundError, stranger.experiences.detach(experience_id, { product_id: product(experience_id) }));
    await refusal(NotFoundError, stranger.experiences.duplicate(experience_id));
    await refusal(NotFoundError, stranger.experiences.delete(experience_id));
    await refusal(NotFoundError, stranger.experiences.list({ company_id }));
  });
});

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
  it,
  newChannel,
  owner,
  refusal,
  stranger,
} from "./stage.ts";

describe("chatChannels", () => {
  it("list holds the demo channel, page by page", async () => {
    await newChannel();
    const listed = (await collect(owner.chatChannels.list({ company_id, first: 2 }))).map((channel) => channel.id);
    assert.equal(listed.filter((each) => each === demo.channel_id).length, 1);
    assert.equal(new Set(listed).size, listed.length);
    assert.ok(!listed.includes(demo.other.channel_id));
    const seenByAnn = (await collect(ann.chatChannels.list({ company_id }))).map((channel) => channel.id);
    assert.ok(seenByAnn.includes(demo.channel_id));
  });

  it("list filters by product", async () => {
    const { id: child_id } = await connectedAccount();
    const product_id = `prod_${child_id.slice(4)}`;
    const experience = await owner.experiences.create({ app_id: demo.app_id, company_id: child_id });
    await owner.experiences.create({ app_id: demo.app_id, company_id: child_id });
    await owner.experiences.attach(experience.id, { product_id });
    const listed = await collect(owner.chatChannels.list({ company_id: child_id, product_id }));
    assert.deepEqual(
      listed.map((channel) => channel.experience.id),
      [experience.id],
    );
  });

  it("update changes the six settings, by either id, and keeps the rest", async () => {
    const { channel_id, experience_id } = await newChannel();
    const fresh = await owner.chatChannels.retrieve(channel_id);
    assert.deepEqual(
      { ...fresh, id: null, experience: null },
      {
        id: null,
        experience: null,
        ban_media: false,
        ban_urls: false,
        banned_words: [],
        user_posts_cooldown_seconds: null,
        who_can_post: "everyone",
        who_can_react: "everyone",
      },
    );
    const settings = {
      ban_media: true,
      ban_urls: true,
      banned_words: ["forbidden", "verboten"],
      user_posts_cooldown_seconds: 30,
      who_can_post: "admins",
      who_can_react: "no_one",
    } as const;
    const changed = await owner.chatChannels.update(channel_id, {
      ...settings,
      banned_words: [...settings.banned_words],
    });
    assert.deepEqual(changed, { ...fresh, ...settings });
    const relaxed = await owner.chatChannels.update(experience_id, {
      user_posts_cooldown_seconds: null,
      banned_words: [],
    });
    assert.deepEqual(relaxed, { ...changed, user_posts_cooldown_seconds: null, banned_words: [] });
    assert.deepEqual(await owner.chatChannels.update(channel_id), relaxed);
  });

  it("update refuses values outside the contract", async () => {
    const { channel_id } = await newChannel();
    for (const [param, value] of [
      ["who_can_post", "members_only"],
      ["who_can_react", "admins"],
      ["user_posts_cooldown_seconds", -1],
      ["ban_urls", "yes"],
    ] as const) {
      const error = await refusal(BadRequestError, owner.chatChannels.update(channel_id, { [param]: value } as object));
      assert.equal(details(error).param, param);
    }
  });

  it("who_can_post admins silences members and no one else", async () => {
    const { channel_id } = await newChannel();
    await owner.chatChannels.update(channel_id, { who_can_post: "admins" });
    await refusal(PermissionDeniedError, ann.messages.create({ channel_id, content: "Hello" }));
    const admin = await as(hallpass.userWithRole("admin"));
    await admin.messages.create({ channel_id, content: "An announcement" });
    assert.equal((await collect(ann.messages.list({ channel_id }))).length, 1);
  });

  it("banned words and links are refused with a code, and nothing is stored", async () => {
    const { channel_id } = await newChannel();
    await owner.chatChannels.update(channel_id, { ban_urls: true, banned_words: ["Forbidden"] });
    const codes = new Set<string | null>();
    for (const content of ["this is forBIDDen!", "see https://example.com/page"]) {
      const error = await refusal(UnprocessableEntityError, ann.messages.create({ channel_id, content }));
      codes.add(details(error).code);
    }
    assert.equal(codes.size, 2);
    assert.ok(!codes.has(null));
    await ann.messages.create({ channel_id, content: "unforbiddenly fine" });
    assert.equal((await collect(ann.messages.list({ channel_id }))).length, 1);
  });

  it("the cooldown holds each user apart and says how long", async () => {
    const { channel_id } = await newChannel();
    await owner.chatChannels.update(channel_id, { user_posts_cooldown_seconds: 60 });
    await ann.messages.create({ channel_id, content: "First" });
    const error = await refusal(UnprocessableEntityError, ann.messages.create({ channel_id, content: "Second" }));
    const retry_after_secs = (details(error) as { retry_after_secs?: unknown }).retry_after_secs;
    assert.ok(
      typeof retry_after_secs === "number" && retry_after_secs > 0 && retry_after_secs <= 60,
      String(retry_after_secs),
    );
    await ben.messages.create({ channel_id, content: "Third" });
  });

  it("need their scopes, and stay behind their tenant's wall", async () => {
    const { channel_id } = await newChannel();
    const error = await refusal(PermissionDeniedError, ann.chatChannels.update(channel_id, { ban_urls: true }));
    assert.match(details(error).message, /chat:moderate/);
    await refusal(
      PermissionDeniedError,
      (await as(hallpass.user("ann"), ["dms:read"])).chatChannels.retrieve(channel_id),
    );
    await refusal(NotFoundError, stranger.chatChannels.retrieve(channel_id));
    await refusal(NotFoundError, stranger.chatChannels.update(channel_id, { ban_urls: true }));
    await refusal(NotFoundError, stranger.chatChannels.list({ company_id }));
    await refusal(NotFoundError, ann.chatChannels.retrieve(demo.other.channel_id));
  });
});

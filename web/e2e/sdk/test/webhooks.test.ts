import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe } from "node:test";

import { BadRequestError, NotFoundError, PermissionDeniedError } from "@whop/sdk";

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
  whop,
} from "./stage.ts";

interface Delivery {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver on this machine that answers 204, or what `status` says. */
async function receiver() {
  const got: Delivery[] = [];
  const answer = { status: 204 };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      got.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
      response.writeHead(answer.status).end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;
  const arrived = async (count: number): Promise<Delivery[]> => {
    const deadline = performance.now() + 5000;
    while (got.length < count) {
      assert.ok(performance.now() < deadline, `${got.length} of ${count} deliveries came`);
      await new Promise((soon) => setTimeout(soon, 10));
    }
    return got;
  };
  return { url, answer, arrived };
}

const keyOf = (secret: string): string => Buffer.from(secret).toString("base64");

/** As `unwrap` takes them. */
const flat = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

describe("webhooks", () => {
  it("are created with a secret that is shown once", async () => {
    const made = await owner.webhooks.create({ url: "https://your-app.example.com/hooks", resource_id: company_id });
    assert.match(made.id, id("hook"));
    assert.match(made.webhook_secret, /^ws_/);
    assert.equal(made.resource_id, company_id);
    assert.deepEqual([...made.events].sort(), ["chat.message.created", "chat.reaction.created"]);
    const shown = await owner.webhooks.retrieve(made.id);
    assert.equal("webhook_secret" in shown, false);
    const { webhook_secret: _, ...rest } = made;
    assert.deepEqual(shown, rest);
    const listed = await collect(owner.webhooks.list({ company_id, first: 2 }));
    assert.equal(listed.filter((each) => each.id === made.id).length, 1);
    assert.equal(await owner.webhooks.delete(made.id), true);
    await refusal(NotFoundError, owner.webhooks.retrieve(made.id));
  });

  it("are changed field by field", async () => {
    const { id: hook } = await owner.webhooks.create({ url: "https://a.example.com/", api_version: "v2" });
    const changed = await owner.webhooks.update(hook, {
      url: "https://b.example.com/",
      enabled: false,
      events: ["chat.reaction.created", "payment.succeeded"],
      child_resource_events: true,
      api_version: "v5",
    });
    assert.equal(changed.url, "https://b.example.com/");
    assert.deepEqual(changed.events, ["chat.reaction.created", "payment.succeeded"]);
    assert.deepEqual([changed.enabled, changed.child_resource_events, changed.api_version], [false, true, "v5"]);
    assert.deepEqual(await owner.webhooks.update(hook, {}), changed);
    await owner.webhooks.delete(hook);
  });

  it("tell of a message as unwrap wants it, and unwrap refuses what was tampered with", async () => {
    const { url, arrived } = await receiver();
    const { id: hook, webhook_secret } = await owner.webhooks.create({ url, events: ["chat.message.created"] });
    const { channel_id, experience_id } = await newChannel();
    const sent = await ann.messages.create({ channel_id, content: "hello, webhook" });
    const [delivery] = await arrived(1);
    assert.ok(delivery);

    const receiving = whop(demo.api_key, { webhookKey: keyOf(webhook_secret) });
    const headers = flat(delivery.headers);
    const event = receiving.webhooks.unwrap(delivery.body, { headers });
    assert.equal(event.type, "chat.message.created");
    assert.ok(event.type === "chat.message.created");
    assert.equal(event.id, headers["webhook-id"]);
    assert.equal(event.data.message.id, sent.id);
    assert.equal(event.data.message.content, "hello, webhook");
    assert.equal(event.data.channel.id, channel_id);
    assert.equal(event.data.channel.experience_id, experience_id);

    const refused = (body: string, changed: Record<string, string>, key = keyOf(webhook_secret)) =>
      assert.throws(() => receiving.webhooks.unwrap(body, { headers: { ...headers, ...changed }, key }));
    refused(delivery.body.replace("hello", "hullo"), {});
    refused(delivery.body, { "webhook-id": "msg_00000000000000000000000000" });
    refused(delivery.body, { "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) });
    refused(delivery.body, {}, keyOf(`${webhook_secret}x`));
    await owner.webhooks.delete(hook);
  });

  it("are signed by both secrets while one takes over from the other", async () => {
    const { url, arrived } = await receiver();
    const { id: hook, webhook_secret: first } = await owner.webhooks.create({ url });
    const rotated = await owner.post<{ webhook_secret: string }>(`/webhooks/${hook}/rotate_secret`);
    await owner.post(`/webhooks/${hook}/test`, { body: { event: "chat.reaction.created" } });
    const [delivery] = await arrived(1);
    assert.ok(delivery);
    for (const secret of [first, rotated.webhook_secret])
      owner.webhooks.unwrap(delivery.body, { headers: flat(delivery.headers), key: keyOf(secret) });
    await owner.webhooks.delete(hook);
  });

  it("keep a log, and replay from it under the same id", async () => {
    const { url, answer, arrived } = await receiver();
    const { id: hook } = await owner.webhooks.create({ url, events: ["chat.message.created"] });
    const { channel_id } = await newChannel();
    await ann.messages.create({ channel_id, content: "once" });
    const [first] = await arrived(1);
    const log = async () =>
      (await owner.get<{ data: { id: string; status: string; attempts: number }[] }>(`/webhooks/${hook}/deliveries`)).data;
    const settled = async (status: string) => {
      const deadline = performance.now() + 5000;
      for (;;) {
        const [line] = await log();
        if (line?.status === status) return line;
        assert.ok(performance.now() < deadline, JSON.stringify(line));
        await new Promise((soon) => setTimeout(soon, 20));
      }
    };
    const line = await settled("delivered");
    assert.equal(line.id, first?.headers["webhook-id"]);
    await owner.post(`/webhooks/${hook}/deliveries/${line.id}/replay`);
    const again = await arrived(2);
    assert.equal(again[1]?.headers["webhook-id"], line.id);
    answer.status = 410;
    await ann.messages.create({ channel_id, content: "gone" });
    await arrived(3);
    const deadline = performance.now() + 5000;
    while ((await owner.webhooks.retrieve(hook)).enabled) assert.ok(performance.now() < deadline, "still enabled");
    await owner.webhooks.delete(hook);
  });

  it("are told of connected accounts where asked to be", async () => {
    const { url, arrived } = await receiver();
    const account = await connectedAccount();
    const { id: hook, webhook_secret } = await owner.webhooks.create({ url, child_resource_events: true });
    const experience = await owner.experiences.create({ app_id: demo.app_id, company_id: account.id, is_public: true });
    const { channel_id } = await newChannel();
    await owner.messages.create({ channel_id, content: "to the parent" });
    await owner.messages.create({ channel_id: experience.id, content: "to the account" });
    const [delivery] = await arrived(1);
    assert.ok(delivery);
    const event = owner.webhooks.unwrap(delivery.body, {
      headers: flat(delivery.headers),
      key: keyOf(webhook_secret),
    });
    assert.equal(event.company_id, account.id);
    await owner.webhooks.delete(hook);
  });

  it("need developer:manage_webhook, and stay behind their tenant's wall", async () => {
    const { id: hook } = await owner.webhooks.create({ url: "https://a.example.com/" });
    await refusal(PermissionDeniedError, ann.webhooks.list({ company_id }));
    await refusal(PermissionDeniedError, ann.webhooks.create({ url: "https://a.example.com/" }));
    await refusal(NotFoundError, stranger.webhooks.list({ company_id }));
    await refusal(NotFoundError, stranger.webhooks.retrieve(hook));
    await refusal(NotFoundError, stranger.webhooks.update(hook, { enabled: false }));
    await refusal(NotFoundError, stranger.webhooks.delete(hook));
    await refusal(NotFoundError, stranger.webhooks.create({ url: "https://a.example.com/", resource_id: company_id }));
    await refusal(BadRequestError, owner.webhooks.create({ url: "https://a.example.com/", events: ["nothing" as never] }));
    await owner.webhooks.delete(hook);
  });
});

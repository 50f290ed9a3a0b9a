import assert from "node:assert/strict";
import { describe } from "node:test";

import { BadRequestError } from "@whop/sdk";

import { ann, ben, collect, counted, details, it, newChannel, refusal } from "./stage.ts";

/** A channel with messages "0" to `count - 1`, in this order. */
async function channelOf(count: number): Promise<{ channel_id: string; contents: string[] }> {
  const { channel_id } = await newChannel();
  const contents = Array.from({ length: count }, (_, n) => String(n));
  for (const content of contents) await ann.messages.create({ channel_id, content });
  return { channel_id, contents };
}

describe("pagination", () => {
  it("for await gives every message once, in both directions", async () => {
    const { channel_id, contents } = await channelOf(10);
    for (const direction of ["asc", "desc"] as const) {
      const walked: (string | null)[] = [];
      for await (const message of ann.messages.list({ channel_id, direction, first: 3 })) walked.push(message.content);
      assert.deepEqual(walked, direction === "asc" ? contents : contents.toReversed());
    }
  });

  it("pages hold what was asked for, and the last one ends the walk without another request", async () => {
    const { channel_id, contents } = await channelOf(9);
    const { fetch, requests } = counted();
    const reader = ann.withOptions({ fetch });
    const first = await reader.messages.list({ channel_id, direction: "asc", first: 3 });
    const pages: (string | null)[][] = [];
    for await (const page of first.iterPages()) pages.push(page.data.map((message) => message.content));
    assert.deepEqual(pages, [contents.slice(0, 3), contents.slice(3, 6), contents.slice(6)]);
    assert.equal(requests.length, 3);
  });

  it("getNextPage steps by hand, and page_info says where one stands", async () => {
    const { channel_id, contents } = await channelOf(5);
    const first = await ann.messages.list({ channel_id, direction: "asc", first: 3 });
    assert.equal(first.hasNextPage(), true);
    assert.deepEqual(pageInfo(first), { has_next_page: true, has_previous_page: false });
    const second = await first.getNextPage();
    assert.deepEqual(
      second.data.map((message) => message.content),
      contents.slice(3),
    );
    assert.equal(second.hasNextPage(), false);
    assert.equal(second.page_info.end_cursor, null);
    assert.deepEqual(pageInfo(second), { has_next_page: false, has_previous_page: true });
  });

  it("before and last walk backward", async () => {
    const { channel_id, contents } = await channelOf(5);
    const end = await ann.messages.list({ channel_id, direction: "asc", last: 2 });
    assert.deepEqual(
      end.data.map((message) => message.content),
      contents.slice(3),
    );
    const { start_cursor } = end.page_info as { start_cursor?: string | null };
    assert.ok(start_cursor);
    const middle = await ann.messages.list({ channel_id, direction: "asc", last: 2, before: start_cursor });
    assert.deepEqual(
      middle.data.map((message) => message.content),
      contents.slice(1, 3),
    );
  });

  it("an empty channel is one empty page", async () => {
    const { channel_id } = await newChannel();
    const page = await ann.messages.list({ channel_id });
    assert.deepEqual(page.data, []);
    assert.deepEqual(page.page_info, {
      end_cursor: null,
      start_cursor: null,
      has_next_page: false,
      has_previous_page: false,
    } as object);
    assert.equal(page.hasNextPage(), false);
  });

  it("a walk is not disturbed by messages sent and deleted meanwhile", async () => {
    const { channel_id, contents } = await channelOf(9);
    const all = await collect(ann.messages.list({ channel_id, direction: "asc" }));
    const doomed = all[4]!;
    const walked: (string | null)[] = [];
    for await (const message of ben.messages.list({ channel_id, direction: "desc", first: 2 })) {
      walked.push(message.content);
      await ann.messages.create({ channel_id, content: `after ${message.content}` });
      if (message.content === "7") await ann.messages.delete(doomed.id);
    }
    assert.deepEqual(
      walked,
      contents.toReversed().filter((content) => content !== doomed.content),
    );
  });

  it("an empty cursor is no cursor", async () => {
    const { channel_id, contents } = await channelOf(2);
    const page = await ann.messages.list({ channel_id, direction: "asc", before: null });
    assert.deepEqual(
      page.data.map((message) => message.content),
      contents,
    );
  });

  it("refuses a forged cursor and one of another list", async () => {
    const [here, there] = [await channelOf(2), await channelOf(2)];
    const { end_cursor } = (await ann.messages.list({ channel_id: there.channel_id, first: 1 })).page_info;
    assert.ok(end_cursor);
    const forged = (end_cursor.startsWith("A") ? "B" : "A") + end_cursor.slice(1);
    for (const [channel_id, after] of [
      [here.channel_id, end_cursor],
      [there.channel_id, forged],
      [there.channel_id, "nonsense"],
    ] as const) {
      const error = await refusal(BadRequestError, ann.messages.list({ channel_id, first: 1, after }));
      assert.equal(details(error).param, "after");
    }
  });

  it("refuses page sizes that make no sense", async () => {
    const { channel_id } = await newChannel();
    for (const first of [0, -1]) {
      const error = await refusal(BadRequestError, ann.messages.list({ channel_id, first }));
      assert.equal(details(error).param, "first");
    }
  });
});

function pageInfo(page: { page_info: object }): object {
  const { has_next_page, has_previous_page } = page.page_info as Record<string, unknown>;
  return { has_next_page, has_previous_page };
}

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe } from "node:test";

import { NotFoundError } from "@whop/sdk";

import { ann, as, ben, company_id, connectedAccount, id, it, newChannel, nobody, owner, refusal, stranger } from "./stage.ts";

/** Eight by eight pixels, half red and half blue. */
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR42mP4xcAAR0jMXwxDSwIAbDA+gSCTwJYAAAAASUVORK5CYII=",
  "base64",
);

const fetched = async (url: string | null) => fetch(url ?? assert.fail("no address"));

describe("files", () => {
  it("upload sends a picture and waits until it is ready", async () => {
    const file = await owner.files.upload(new File([png], "dot.png", { type: "image/png" }));
    assert.match(file.id, id("file"));
    assert.equal(file.upload_status, "ready");
    assert.equal(file.content_type, "image/png");
    assert.equal(file.visibility, "public");
    const response = await fetched(file.url);
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.equal(response.headers.get("content-security-policy"), "sandbox; default-src 'none'");
    assert.equal(String((await response.arrayBuffer()).byteLength), file.size);
  });

  it("upload takes text, whatever type its sender claims", async () => {
    const file = await ann.files.upload(new File(["gr\u{fc}\u{df}e"], "hello.html", { type: "text/html" }));
    assert.equal(file.content_type, "text/plain");
    assert.equal(file.size, "7");
    const response = await fetched(file.url);
    assert.match(response.headers.get("content-disposition") ?? "", /^attachment; filename="hello\.html"/);
    assert.equal(await response.text(), "gr\u{fc}\u{df}e");
  });

  it("upload fails for a picture that cannot be read", async () => {
    const broken = new File([png.subarray(0, 40)], "broken.png", { type: "image/png" });
    await assert.rejects(Promise.resolve(owner.files.upload(broken)));
  });

  it("create and retrieve follow a file by hand", async () => {
    const made = await owner.files.create({ filename: "notes.txt", visibility: "private" });
    assert.equal(made.upload_status, "pending");
    assert.equal(made.url, null);
    assert.equal((await owner.files.retrieve(made.id)).upload_status, "pending");
    const sent = await fetch(made.upload_url ?? assert.fail("no upload URL"), { method: "PUT", body: "notes" });
    assert.equal(sent.ok, true);
    const ready = await owner.files.retrieve(made.id);
    assert.equal(ready.upload_status, "ready");
    assert.equal(ready.visibility, "private");
    assert.equal(await (await fetched(ready.url)).text(), "notes");
    assert.equal((await fetched(ready.url?.split("?")[0] ?? null)).status, 404);
    for (const other of [ann, stranger]) await refusal(NotFoundError, other.files.retrieve(made.id));
    await refusal(NotFoundError, owner.files.retrieve(nobody("file")));
  });

  it("a company-specific picture, as the guide sets it", async () => {
    const { owner_user } = await connectedAccount();
    const picture = await owner.files.upload(new File([png], "me.png", { type: "image/png" }));
    const shown = await owner.users.update(owner_user.id, {
      account_id: company_id,
      name: "Jane",
      profile_picture: { id: picture.id },
    });
    const url = (shown.profile_picture as { url: string } | null)?.url ?? assert.fail("no picture");
    assert.equal((await fetched(url)).headers.get("content-type"), "image/jpeg");
    assert.equal((await owner.users.retrieve(owner_user.id)).profile_picture, null);
    const { channel_id } = await newChannel();
    const said = await (await as(owner_user.id)).messages.create({ channel_id, content: "hello" });
    const author = said.user as typeof said.user & { profile_picture: { url: string } | null };
    assert.equal(author.profile_picture?.url, url);
  });

  it("attachments of a message", async () => {
    const { channel_id } = await newChannel();
    const file = await ann.files.upload(new File(["a plan"], "plan.txt", { type: "text/plain" }));
    const said = await ann.messages.create({ channel_id, content: "read", attachments: [{ id: file.id }] });
    const seen = (await ben.messages.retrieve(said.id)) as typeof said & { attachments: { id: string; url: string }[] };
    assert.deepEqual(
      seen.attachments.map((attachment) => attachment.id),
      [file.id],
    );
    assert.equal(await (await fetched(seen.attachments[0]?.url ?? null)).text(), "a plan");
    await refusal(NotFoundError, ben.messages.create({ channel_id, content: "x", attachments: [{ id: file.id }] }));
  });
});

/** In nobody's frame, light on the wire, and nothing asked of anybody else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";

import { ann, appOrigin, issuer, newApp, start, Visitor } from "./stage.ts";

const most_bytes = 30_000;

describe("the first view", () => {
  for (const [name, path] of [
    ["sign-in, on the way to an app", async () => start(await newApp()).url],
    ["sign-up", async () => "/sign-up"],
  ] as [string, () => Promise<string>][]) {
    it(`${name}: 30 kB in all, gzipped`, async () => {
      await using visitor = await Visitor.arrive();
      const bodies: Promise<[string, number]>[] = [];
      visitor.page.on("response", (response) => {
        if (response.status() !== 200) return;
        bodies.push(response.body().then((body) => [response.url(), gzipSync(body).length]));
      });
      await visitor.open(await path());
      await visitor.page.waitForLoadState("networkidle");
      const sizes = await Promise.all(bodies);
      assert.ok(sizes.length >= 3, JSON.stringify(sizes));
      const sum = sizes.reduce((all, [, size]) => all + size, 0);
      assert.ok(sum <= most_bytes, `${sum} bytes: ${JSON.stringify(sizes)}`);
      assert.deepEqual(visitor.takeComplaints(), []);
    });
  }
});

describe("a page of another site", () => {
  it("gets none of ours into a frame", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.open("/sign-in");
    await visitor.signIn(ann);
    await visitor.page.waitForURL(`${issuer}/account`);
    for (const src of [start(await newApp()).url, `${issuer}/sign-in`, `${issuer}/account`, `${issuer}/sign-out`]) {
      await visitor.page.goto(`${appOrigin}/frame?src=${encodeURIComponent(src)}`);
      const [frame] = visitor.page.mainFrame().childFrames();
      assert.ok(frame);
      await frame.waitForLoadState();
      assert.match(frame.url(), /^chrome-error:/, src);
      assert.equal(await frame.locator("form").count(), 0, src);
    }
    assert.match(visitor.takeComplaints().join("\n"), /frame-ancestors|X-Frame-Options/i);
  });

  it("posts none of our forms", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.open("/sign-in");
    await visitor.signIn(ann);
    await visitor.page.waitForURL(`${issuer}/account`);
    for (const action of ["/account/profile", "/sign-out", "/oauth/consent", "/sign-in"]) {
      await visitor.page.goto(`${appOrigin}/`);
      const answer = visitor.page.waitForResponse((response) => response.url() === issuer + action);
      await visitor.page.evaluate((to) => {
        const form = document.createElement("form");
        form.method = "post";
        form.action = to;
        document.body.append(form);
        form.submit();
      }, issuer + action);
      assert.equal((await answer).status(), 403, action);
      await visitor.page.waitForURL(issuer + action);
    }
    await visitor.open("/account");
    assert.equal(visitor.page.url(), `${issuer}/account`, "still signed in");
  });

  it("reads nothing of ours", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.page.goto(`${appOrigin}/`);
    const read = await visitor.page.evaluate(
      (url) => fetch(url, { credentials: "include" }).then(() => true, () => false),
      `${issuer}/account`,
    );
    assert.equal(read, false);
  });
});

describe("an address with a code", () => {
  it("is told to nobody", async () => {
    await using visitor = await Visitor.arrive();
    const started = start(await newApp());
    await visitor.open(started.url);
    await visitor.signIn(ann);
    const called = visitor.page.waitForRequest((request) => request.url().startsWith(`${appOrigin}/callback`));
    await visitor.allow();
    assert.equal((await (await called).allHeaders()).referer, undefined);
  });
});

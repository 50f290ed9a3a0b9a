/** `company_id`: tokens of one company, on authorizing and on every refresh. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";
import Whop, { APIError } from "@whop/sdk";

import { ann, assertToldError, claims, codeOf, demo, hallpass, newApp, refresh, signIn, start } from "./stage.ts";

const { company_id } = demo;

describe("a sign-in for one company", () => {
  it("gives tokens of that company, and wants it named again on every refresh", async () => {
    const app = await newApp("none");
    const tokens = await signIn(app, ann, { company_id });
    assert.equal(claims(tokens.access_token).company_id, company_id);
    for (const more of [{}, { company_id: demo.other.company_id }, { company_id: "nonsense" }]) {
      const refused = await refresh(app, tokens.refresh_token, more as Record<string, string>);
      assert.deepEqual([refused.status, refused.body.error], [400, "invalid_grant"]);
    }
    const { status, body } = await refresh(app, tokens.refresh_token, { company_id });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(claims(body.access_token).company_id, company_id);
  });

  it("opens that company alone", async () => {
    const app = await newApp("none");
    const { access_token } = await signIn(app, ann, { company_id });
    const whop = new Whop({ apiKey: access_token, baseURL: hallpass.baseURL, maxRetries: 0 });
    await whop.messages.list({ channel_id: demo.channel_id, first: 1 });
    await assert.rejects(
      whop.messages.list({ channel_id: demo.other.channel_id, first: 1 }).then(() => {}),
      (error) => error instanceof APIError && [403, 404].includes(error.status as number),
    );
  });

  it("is refused for a company that the user or the app has nothing to do with", async () => {
    const started = start(await newApp("none"), { company_id: demo.other.company_id });
    const browser = new Browser(demo.url);
    assertToldError(browser, await browser.signIn(await browser.open(started.url.href), ann), started, "access_denied");
  });

  it("is allowed by itself: consent to one says nothing of another, nor of everywhere", async () => {
    const app = await newApp("none");
    const { browser } = await signIn(app, ann);
    for (const [more, error] of [
      [{ prompt: "none" }, undefined],
      [{ prompt: "none", company_id }, "consent_required"],
    ] as [Record<string, string>, string | undefined][]) {
      const started = start(app, more);
      const page = await browser.open(started.url.href);
      if (error) assertToldError(browser, page, started, error);
      else codeOf(started, browser.left(page));
    }
  });

  it("one without a company is bound to none, and wants none", async () => {
    const app = await newApp("none");
    const tokens = await signIn(app);
    assert.equal(claims(tokens.access_token).company_id, undefined);
    assert.equal((await refresh(app, tokens.refresh_token, { company_id })).body.error, "invalid_grant");
    assert.equal((await refresh(app, tokens.refresh_token)).status, 200);
  });
});

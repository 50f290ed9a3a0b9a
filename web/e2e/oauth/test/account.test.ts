/** What people take back on the page of their account, apps lose at once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";

import { issuer, newApp, refresh, refusedWithinASecond, signIn, signUp, start, userinfo } from "./stage.ts";

const scope = "openid profile email";

describe("on the page of the account", () => {
  it("taking back what an app may do ends its tokens, and it has to ask again", async () => {
    const browser = new Browser(issuer);
    const who = await signUp(browser);
    const [app, other] = [await newApp("none"), await newApp("none")];
    const kept = await signIn(other, who, { scope }, browser);
    const tokens = await signIn(app, who, { scope }, browser);
    const account = await browser.open(`${issuer}/account`);
    const ids = account.forms.filter(({ action }) => action === "/account/apps/revoke").map(({ fields }) => fields.get("id"));
    assert.equal(ids.length, 2);
    await browser.submit(account, "/account/apps/revoke", {});
    const statuses = async () =>
      Promise.all([tokens, kept].map(async ({ access_token }) => (await userinfo(access_token)).status));
    const deadline = performance.now() + 1000;
    while ((await statuses()).every((status) => status === 200)) assert.ok(performance.now() < deadline);
    assert.deepEqual((await statuses()).sort(), [200, 401], "one app, not the other");

    const [gone, goneTokens] = (await statuses())[0] === 401 ? [app, tokens] : [other, kept];
    assert.equal((await refresh(gone, goneTokens.refresh_token)).body.error, "invalid_grant");
    const again = await browser.open(start(gone, { scope }).url.href);
    assert.ok(browser.asks(again, "/oauth/consent"), again.url);
  });

  it("signing out another device ends that device's tokens alone", async () => {
    const laptop = new Browser(issuer);
    const who = await signUp(laptop);
    const app = await newApp("none");
    const here = await signIn(app, who, { scope }, laptop);
    const there = await signIn(app, who, { scope });
    await laptop.submit(await laptop.open(`${issuer}/account`), "/account/sessions/end", {});
    await refusedWithinASecond(there.access_token);
    assert.equal((await refresh(app, there.refresh_token)).body.error, "invalid_grant");
    assert.equal((await userinfo(here.access_token)).status, 200);
    assert.equal((await refresh(app, here.refresh_token)).status, 200);
    const page = await there.browser.open(`${issuer}/account`);
    assert.ok(there.browser.asks(page, "/sign-in"), page.url);
  });

  it("a new password signs out every other device", async () => {
    const laptop = new Browser(issuer);
    const who = await signUp(laptop);
    const app = await newApp("none");
    const there = await signIn(app, who, { scope });
    const typed = { new_password: "four other longer words", current_password: who.password };
    const saved = await laptop.submit(await laptop.open(`${issuer}/account`), "/account/password", typed);
    assert.match(saved.url, /\/account\?done=/, saved.html);
    await refusedWithinASecond(there.access_token);
    await assert.rejects(signIn(app, who, { scope }), /not signed in/);
  });
});

/** What apps do with a browser on the way: send it further, open us as a popup, sign it out. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ann, appOrigin, furtherOrigin, issuer, newApp, start, Visitor } from "./stage.ts";

describe("an app", () => {
  it("sends people on to another origin from its callback", async () => {
    await using visitor = await Visitor.arrive();
    const app = await newApp(`${appOrigin}/onwards`);
    await visitor.open(start(app).url);
    await visitor.signIn(ann);
    await visitor.allow();
    await visitor.page.waitForURL(`${furtherOrigin}/`);
    // Consent is remembered: now it is the password's answer that leads all the way.
    await visitor.page.context().clearCookies();
    await visitor.open(start(app).url);
    await visitor.signIn(ann);
    await visitor.page.waitForURL(`${furtherOrigin}/`);
  });

  it("signs people out, asks first, and gets them back", async () => {
    await using visitor = await Visitor.arrive();
    const app = await newApp();
    await visitor.open("/sign-in");
    await visitor.signIn(ann);
    await visitor.page.waitForURL(`${issuer}/account`);
    const back = new URLSearchParams({ client_id: app.client_id, post_logout_redirect_uri: app.redirect_uri });
    await visitor.open(`/oauth/logout?${back}`);
    await visitor.page.click("form[action='/oauth/logout/confirm'] button.first");
    assert.equal(await visitor.callback(), app.redirect_uri);
    assert.deepEqual(visitor.takeComplaints(), []);
  });

  it("stays the opener of the popup in which people sign in", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.page.goto(`${appOrigin}/`);
    const opened = visitor.page.waitForEvent("popup");
    await visitor.page.evaluate((url) => void window.open(url, "popup", "popup"), start(await newApp()).url);
    const popup = await opened;
    await popup.fill("#email", ann.email);
    await popup.fill("#password", ann.password);
    await popup.click("form[action='/sign-in'] button.first");
    await popup.click("button[name=decision][value=allow]");
    await popup.waitForURL((url) => url.origin === appOrigin);
    assert.equal(await popup.evaluate(() => window.opener?.location.href), `${appOrigin}/`);
  });
});

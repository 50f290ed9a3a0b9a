/** Passkeys, with an authenticator that Chromium plays. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { freshEmail, freshUsername, issuer, newApp, redeem, start, Visitor } from "./stage.ts";

describe("a passkey", () => {
  it("alone makes an account, allows an app, and signs in again", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.addAuthenticator();
    const { page } = visitor;
    // A browser that does not offer passkeys in fields: there is the button.
    await page.addInitScript(() => {
      PublicKeyCredential.isConditionalMediationAvailable = async () => false;
    });
    const app = await newApp();
    const started = start(app);
    await visitor.open(started.url);
    await page.click("p.under a");
    const email = freshEmail();
    await visitor.proveAddress(email);
    await page.fill("#name", "Pat Passkey");
    await page.fill("#username", freshUsername());
    await page.click("[data-passkey='/passkeys/sign-up'] button");
    await visitor.allow();
    const claims = await redeem(app, started, await visitor.callback());
    assert.equal(claims.email, email);
    assert.equal(claims.acr, "phr");

    await visitor.open("/account");
    assert.equal(await page.locator("form[action='/account/passkeys/remove']").count(), 1);
    assert.equal(await page.locator("#current_password").count(), 0);
    await page.click("form[action='/sign-out'] button");
    await page.waitForURL(`${issuer}/sign-out`);

    const again = start(app, { prompt: "login" });
    await visitor.open(again.url);
    await page.click("[data-passkey='/passkeys/sign-in'] button");
    const second = await redeem(app, again, await visitor.callback());
    assert.equal(second.sub, claims.sub);
    assert.equal(second.acr, "phr");
    assert.deepEqual(visitor.takeComplaints(), []);
  });

  it("is added to an account, renamed, used and removed", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.addAuthenticator();
    const { page } = visitor;
    await visitor.open("/sign-up");
    await visitor.signUp();

    await page.click("[data-passkey='/passkeys/add'] button");
    await page.waitForSelector("form[action='/account/passkeys/rename']", { state: "attached" });
    await page.click("details:has(form[action='/account/passkeys/rename']) summary");
    await page.fill("#passkey-1", "My laptop");
    await page.click("form[action='/account/passkeys/rename'] button");
    await page.getByText("My laptop", { exact: true }).waitFor();

    await page.click("form[action='/sign-out'] button");
    await page.waitForURL(`${issuer}/sign-out`);
    // Picked from what the browser offers in the field: nothing is pressed.
    await page.goto(`${issuer}/sign-in`);
    await page.waitForURL(`${issuer}/account`);

    await page.click("form[action='/account/passkeys/remove'] button");
    await page.waitForURL((url) => url.searchParams.get("done") !== null);
    assert.equal(await page.locator("form[action='/account/passkeys/remove']").count(), 0);
    assert.deepEqual(visitor.takeComplaints(), []);
  });

  it("is not offered where it cannot be used", async () => {
    await using visitor = await Visitor.arrive({ javaScriptEnabled: false });
    await visitor.open("/sign-in");
    assert.equal(await visitor.page.locator("[data-passkey]").isVisible(), false);
  });
});

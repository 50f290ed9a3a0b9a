/** The ways of people to an app: with a password, with a code, without a script, on a phone. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ann, issuer, newApp, redeem, start, Visitor } from "./stage.ts";

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? "in Chromium" : "in Chromium without JavaScript", () => {
    it("a password, consent, and back at the app; the second time there is nothing to do", async () => {
      await using visitor = await Visitor.arrive({ javaScriptEnabled });
      const app = await newApp();
      const started = start(app);
      await visitor.open(started.url);
      await visitor.signIn(ann);
      await visitor.allow();
      assert.equal((await redeem(app, started, await visitor.callback())).sub, ann.id);

      const again = start(app);
      await visitor.page.goto(again.url);
      assert.equal((await redeem(app, again, await visitor.callback())).sub, ann.id);
      assert.deepEqual(visitor.takeComplaints(), []);
    });

    it("a wrong password says so and keeps the address; then the right one", async () => {
      await using visitor = await Visitor.arrive({ javaScriptEnabled });
      await visitor.open("/sign-in");
      await visitor.signIn({ email: ann.email, password: "wrong-and-long-enough" });
      const problem = visitor.page.locator("#problem");
      await problem.waitFor();
      assert.equal(await visitor.page.inputValue("#email"), ann.email);
      assert.equal(await visitor.page.inputValue("#password"), "");
      await visitor.signIn(ann);
      await visitor.page.waitForURL(`${issuer}/account`);
    });

    it("a new account by a code, with a password, on the way to an app", async () => {
      await using visitor = await Visitor.arrive({ javaScriptEnabled });
      const app = await newApp();
      const started = start(app, { prompt: "create" });
      await visitor.open(started.url);
      const { email } = await visitor.signUp();
      await visitor.allow();
      const claims = await redeem(app, started, await visitor.callback());
      assert.equal(claims.email, email);
      assert.deepEqual(visitor.takeComplaints(), []);
    });

    it("no to consent goes back to the app with a refusal", async () => {
      await using visitor = await Visitor.arrive({ javaScriptEnabled });
      const started = start(await newApp());
      await visitor.open(started.url);
      await visitor.signIn(ann);
      await visitor.page.click("button[name=decision][value=deny]");
      const answer = new URL(await visitor.callback()).searchParams;
      assert.deepEqual([answer.get("error"), answer.get("state")], ["access_denied", started.state]);
    });

    it("a forgotten password, a code, a new one", async () => {
      await using visitor = await Visitor.arrive({ javaScriptEnabled });
      await visitor.open("/sign-up");
      const { email } = await visitor.signUp();

      await using elsewhere = await Visitor.arrive({ javaScriptEnabled });
      await elsewhere.open("/reset");
      await elsewhere.page.fill("#email", email);
      await elsewhere.page.click("form[action='/reset'] button.first");
      await elsewhere.page.fill("#code", await elsewhere.letterCode(email));
      await elsewhere.page.click("form[action='/reset/code'] button.first");
      await elsewhere.page.fill("#new_password", "four other longer words");
      await elsewhere.page.click("form[action='/reset/password'] button.first");
      await elsewhere.page.waitForURL(`${issuer}/account`);
      // The other device is signed out.
      await visitor.page.reload();
      await visitor.page.waitForURL((url) => url.pathname === "/sign-in");
    });

    it("signing out ends at the page that says so", async () => {
      await using visitor = await Visitor.arrive({ javaScriptEnabled });
      await visitor.open("/sign-in");
      await visitor.signIn(ann);
      await visitor.page.waitForURL(`${issuer}/account`);
      await visitor.page.click("form[action='/sign-out'] button");
      await visitor.page.waitForURL(`${issuer}/sign-out`);
      await visitor.open("/account");
      assert.equal(new URL(visitor.page.url()).pathname, "/sign-in");
    });
  });
}

describe("an app of a phone", () => {
  it("is called by its own scheme, which the page's policy lets through", async () => {
    await using visitor = await Visitor.arrive({ viewport: { width: 390, height: 844 }, isMobile: true });
    const app = await newApp("com.yourapp.bundle://oauth/callback");
    const started = start(app);
    const session = await visitor.page.context().newCDPSession(visitor.page);
    await session.send("Network.enable");
    const called = new Promise<string>((resolve) => {
      session.on("Network.requestWillBeSent", ({ request }) => {
        if (request.url.startsWith("com.yourapp.bundle:")) resolve(request.url);
      });
    });
    await visitor.open(started.url);
    await visitor.signIn(ann);
    await visitor.allow();
    const callback = await called;
    assert.ok(callback.startsWith(`${app.redirect_uri}?code=`), callback);
    assert.equal((await redeem(app, started, callback)).sub, ann.id);
    assert.deepEqual(visitor.takeComplaints().filter((each) => each.startsWith("console")), []);
  });
});

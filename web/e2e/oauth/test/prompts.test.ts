/** What a request may ask of the page it opens: `prompt`, `max_age`, `login_hint`; and signing out. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Browser } from "@hallpass/harness/browser";

import { type App, ann, assertToldError, ben, claims, codeOf, issuer, newApp, redeem, signIn, start } from "./stage.ts";

/** Opens a request in a browser. */
async function open(browser: Browser, app: App, more: Record<string, string>) {
  const started = start(app, more);
  return { started, page: await browser.open(started.url.href) };
}

describe("prompt=none", () => {
  it("tells the app that nobody is signed in", async () => {
    const browser = new Browser(issuer);
    const { started, page } = await open(browser, await newApp("none"), { prompt: "none" });
    assertToldError(browser, page, started, "login_required");
  });

  it("tells the app that nobody has allowed it", async () => {
    const { browser } = await signIn(await newApp("none"));
    const { started, page } = await open(browser, await newApp("none"), { prompt: "none" });
    assertToldError(browser, page, started, "consent_required");
  });

  it("answers in silence whoever is signed in and has allowed it", async () => {
    const app = await newApp("none");
    const { browser, id_token } = await signIn(app);
    const { started, page } = await open(browser, app, { prompt: "none", id_token_hint: id_token! });
    const silent = await redeem(app, started, browser.left(page));
    assert.equal(claims(silent.id_token).sub, ann.id);
    assert.equal(claims(silent.id_token).auth_time, claims(id_token).auth_time);
    assert.equal(claims(silent.id_token).sid, claims(id_token).sid);
  });

  it("answers nobody but whom the id token names", async () => {
    const app = await newApp("none");
    const { id_token } = await signIn(app, ben);
    const { browser } = await signIn(app, ann);
    const { started, page } = await open(browser, app, { prompt: "none", id_token_hint: id_token! });
    assertToldError(browser, page, started, "login_required");
  });

  it("stands alone", async () => {
    const browser = new Browser(issuer);
    const { started, page } = await open(browser, await newApp("none"), { prompt: "none login" });
    assertToldError(browser, page, started, "invalid_request");
  });
});

describe("consent", () => {
  it("is asked for once, and again for more", async () => {
    const app = await newApp("none");
    const { browser } = await signIn(app, ann, { scope: "openid profile" });
    const same = await open(browser, app, { scope: "openid profile" });
    codeOf(same.started, browser.left(same.page));
    const less = await open(browser, app, { scope: "openid" });
    codeOf(less.started, browser.left(less.page));
    const more = await open(browser, app, { scope: "openid profile chat:read" });
    assert.ok(browser.asks(more.page, "/oauth/consent"));
    const allowed = await browser.decide(more.page, "allow");
    codeOf(more.started, browser.left(allowed));
  });

  it("is asked for again with prompt=consent", async () => {
    const app = await newApp("none");
    const { browser } = await signIn(app);
    const { started, page } = await open(browser, app, { prompt: "consent" });
    assert.ok(browser.asks(page, "/oauth/consent"));
    codeOf(started, browser.left(await browser.decide(page, "allow")));
  });

  it("can be refused, and the app is told", async () => {
    const browser = new Browser(issuer);
    const { started, page } = await open(browser, await newApp("none"), {});
    const consent = await browser.signIn(page, ann);
    assertToldError(browser, await browser.decide(consent, "deny"), started, "access_denied");
  });

  it("counts for nobody else on the same browser", async () => {
    const app = await newApp("none");
    const { browser } = await signIn(app, ann);
    const { page } = await open(browser, app, { prompt: "login" });
    assert.ok(browser.asks(await browser.signIn(page, ben), "/oauth/consent"));
  });
});

describe("signing in again", () => {
  for (const [name, more] of [
    ["prompt=login", { prompt: "login" }],
    ["prompt=select_account", { prompt: "select_account" }],
    ["max_age=0", { max_age: "0" }],
  ] as [string, Record<string, string>][]) {
    it(`is asked for with ${name}, once`, async () => {
      const app = await newApp("none");
      const { browser, id_token } = await signIn(app);
      const before = browser.cookie("hallpass-session");
      const { started, page } = await open(browser, app, more);
      assert.ok(browser.asks(page, "/sign-in"), page.url);
      const back = await browser.signIn(page, ann);
      assert.ok(before && before !== browser.cookie("hallpass-session"), "a session of its own, which nobody could have planted");
      const tokens = await redeem(app, started, browser.left(back));
      assert.ok(claims(tokens.id_token).auth_time >= claims(id_token).auth_time);
      assert.equal(typeof claims(tokens.id_token).auth_time, "number");
    });
  }

  it("is not asked for within max_age", async () => {
    const app = await newApp("none");
    const { browser, id_token } = await signIn(app);
    const { started, page } = await open(browser, app, { max_age: "3600" });
    const tokens = await redeem(app, started, browser.left(page));
    assert.equal(claims(tokens.id_token).auth_time, claims(id_token).auth_time);
  });

  it("max_age=0 and prompt=none do not go together", async () => {
    const app = await newApp("none");
    const { browser } = await signIn(app);
    const { started, page } = await open(browser, app, { max_age: "0", prompt: "none" });
    assertToldError(browser, page, started, "login_required");
  });

  it("max_age must be a number of seconds", async () => {
    const browser = new Browser(issuer);
    for (const max_age of ["-1", "soon", "1.5", "99999999999999999999"]) {
      const { started, page } = await open(browser, await newApp("none"), { max_age });
      assertToldError(browser, page, started, "invalid_request");
    }
  });
});

describe("hints", () => {
  it("login_hint is typed already", async () => {
    const { page } = await open(new Browser(issuer), await newApp("none"), { login_hint: ann.email });
    const form = page.forms.find(({ action }) => action === "/sign-in");
    assert.equal(form?.fields.get("email")?.value, ann.email);
  });

  it("ui_locales is the language of the page", async () => {
    const { page } = await open(new Browser(issuer), await newApp("none"), { ui_locales: "xx de en" });
    assert.match(page.html, /<html lang="de"/);
  });

  it("acr, amr and sid say how somebody signed in", async () => {
    const { id_token } = await signIn(await newApp("none"));
    const { acr, amr, sid } = claims(id_token);
    assert.deepEqual([acr, amr, typeof sid], ["1", ["pwd"], "string"]);
  });
});

describe("signing out", () => {
  it("without an id token, asks first; a link alone signs nobody out", async () => {
    const app = await newApp("none");
    const { browser } = await signIn(app);
    const asked = await browser.open(`${issuer}/oauth/logout`);
    assert.ok(browser.asks(asked, "/oauth/logout/confirm"), asked.html);
    const still = await open(browser, app, { prompt: "none" });
    codeOf(still.started, browser.left(still.page));
    await browser.submit(asked, "/oauth/logout/confirm", {});
    const out = await open(browser, app, { prompt: "none" });
    assertToldError(browser, out.page, out.started, "login_required");
  });

  it("goes nowhere that the app did not register", async () => {
    const app = await newApp("none");
    const { browser, id_token } = await signIn(app);
    for (const uri of ["https://evil.example/", `${app.redirect_uri}/`, "//evil.example", "javascript:alert(1)"]) {
      const url = new URL("/oauth/logout", issuer);
      url.search = new URLSearchParams({ id_token_hint: id_token!, post_logout_redirect_uri: uri }).toString();
      const page = await browser.open(url.href);
      assert.equal(page.status, 400, uri);
      assert.ok(page.url.startsWith(issuer), page.url);
    }
  });

  it("leaves other devices signed in", async () => {
    const app = await newApp("none");
    const phone = await signIn(app);
    const { browser, id_token } = await signIn(app);
    const url = new URL("/oauth/logout", issuer);
    url.search = new URLSearchParams({
      id_token_hint: id_token!,
      post_logout_redirect_uri: app.redirect_uri,
    }).toString();
    let page = await browser.open(url.href);
    if (browser.asks(page, "/oauth/logout/confirm")) page = await browser.submit(page, "/oauth/logout/confirm", {});
    assert.equal(browser.left(page).href, app.redirect_uri);
    const still = await open(phone.browser, app, { prompt: "none" });
    codeOf(still.started, phone.browser.left(still.page));
  });
});

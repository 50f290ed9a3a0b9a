import assert from "node:assert/strict";
import { describe } from "node:test";

import { AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError, UnprocessableEntityError } from "@whop/sdk";

import { ann, collect, company_id, demo, id, it, owner, refusal, stranger, whop } from "./stage.ts";

const redirect_uris = ["http://localhost:3000/cb", "https://myapp.com/cb?x=%2F", "com.example.app://oauth/callback"];

/** What the SDK does not type. */
const clientSecret = (app: object) => (app as { client_secret?: string }).client_secret;

describe("apps", () => {
  it("create shows a client secret and an API key, once", async () => {
    const app = await owner.apps.create({ company_id, name: "An app", redirect_uris });
    assert.match(app.id, id("app"));
    assert.deepEqual(app.redirect_uris, redirect_uris);
    assert.equal(app.company.id, company_id);
    assert.match(clientSecret(app) ?? "", /^hpc_/);
    assert.ok(app.api_key);
    assert.equal((await whop(app.api_key.token).apps.retrieve(app.id)).name, "An app");
    await refusal(AuthenticationError, whop(clientSecret(app) ?? "").apps.retrieve(app.id));
    const shown = await owner.apps.retrieve(app.id);
    assert.equal(shown.api_key, null);
    assert.equal(clientSecret(shown), undefined);
  });

  it("update changes, merges secrets and clears", async () => {
    const { id: app_id } = await owner.apps.create({ company_id, name: "Before" });
    const changed = await owner.apps.update(app_id, {
      name: "After",
      description: "What it does",
      base_url: "https://app.example.com",
      experience_path: "/experiences/[experienceId]",
      redirect_uris,
      oauth_client_type: "confidential",
      required_scopes: ["read_user"],
      secrets: { ONE: "1", TWO: "2" },
      status: "live",
      app_type: "b2c_app",
    });
    assert.equal(changed.name, "After");
    assert.equal(changed.origin, "https://app.example.com");
    assert.deepEqual(changed.redirect_uris, redirect_uris);
    assert.deepEqual(changed.secrets, { ONE: "1", TWO: "2" });
    const merged = await owner.apps.update(app_id, { secrets: { ONE: null, THREE: "3" }, description: null });
    assert.deepEqual(merged.secrets, { TWO: "2", THREE: "3" });
    assert.equal(merged.description, null);
    assert.equal((await ann.apps.retrieve(app_id)).secrets, null);
    await refusal(PermissionDeniedError, ann.apps.update(app_id, { name: "Hers" }));
    await refusal(NotFoundError, stranger.apps.update(app_id, { name: "Theirs" }));
  });

  it("list filters", async () => {
    const { id: app_id } = await owner.apps.create({ company_id, name: "Findable" });
    await owner.apps.update(app_id, { discover_path: "/discover", app_type: "component" });
    const found = async (filter: object) => (await collect(owner.apps.list({ company_id, first: 1, ...filter }))).map((app) => app.id);
    for (const filter of [{}, { query: "findABLE" }, { view_type: "discover" }, { app_type: "component" }, { order: "created_at" }])
      assert.ok((await found(filter)).includes(app_id), JSON.stringify(filter));
    assert.deepEqual(await found({ verified_apps_only: true }), []);
    await refusal(NotFoundError, stranger.apps.list({ company_id }));
  });

  it("the chat app is everybody's", async () => {
    assert.equal((await owner.apps.retrieve(demo.app_id)).name, "Chat");
    assert.equal((await stranger.apps.retrieve(demo.app_id)).name, "Chat");
    await refusal(NotFoundError, owner.apps.update(demo.app_id, { name: "Mine" }));
  });

  it("redirect URIs and names that cannot be are refused", async () => {
    for (const uri of ["https://user@myapp.com/", "https://myapp.com/#x", "http://myapp.com/", "javascript:alert(1)"])
      await refusal(BadRequestError, owner.apps.create({ company_id, name: "Bad", redirect_uris: [uri] }));
    await refusal(UnprocessableEntityError, owner.apps.create({ company_id, name: "x".repeat(31) }));
  });
});

/** The guide's second half: its app, made by its own code, and a sign-in with what that printed. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { Browser } from "@hallpass/harness/browser";
import { snippet, snippets } from "@hallpass/harness/guide";
import { root } from "@hallpass/harness/paths";

import { type App, ann, claims, demo, guideScope, hallpass, issuer, owner, signIn, start } from "./stage.ts";

const all = snippets("seeds/authentication-full.txt");
const createApp = snippet(all, ({ code }) => code.includes("client.apps.create"));

/** Runs the guide's code as it is printed, transpiled and not type-checked: the SDK knows no `client_secret`. */
async function printed(code: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "hallpass-guide-"));
  try {
    symlinkSync(join(root, "web/node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "app.mts"), code);
    const env = { ...process.env, WHOP_API_KEY: demo.api_key, WHOP_BASE_URL: hallpass.baseURL };
    const options = { cwd: folder, env };
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ["--import", import.meta.resolve("tsx"), "app.mts"], options);
    return stdout.trim().split("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The redirect URIs that the guide registers. */
const uris = [...createApp.matchAll(/"(https?:[^"]*callback[^"]*)"/g)].map(([, uri]) => uri as string);

describe("the guide's app", async () => {
  const [client_id = "", client_secret = ""] = await printed(createApp);
  const app = (redirect_uri: string, method: App["method"] = "client_secret_post"): App => ({
    client_id,
    client_secret,
    redirect_uri,
    method,
  });

  it("signs people in with the id and the secret that were printed, at both of its addresses", async () => {
    assert.equal(uris.length, 2);
    for (const uri of uris) {
      const tokens = await signIn(app(uri));
      assert.equal(claims(tokens.id_token).sub, ann.id);
      assert.equal(claims(tokens.id_token).aud, client_id);
      assert.deepEqual(new Set(tokens.scope.split(" ")), new Set(guideScope.split(" ")));
    }
  });

  it("may come without its secret, and never with a wrong one", async () => {
    assert.equal(claims((await signIn(app(uris[0]!, "none"))).id_token).sub, ann.id);
    await assert.rejects(signIn({ ...app(uris[0]!), client_secret: "wrong" }), /invalid_client/);
  });

  it("moves with apps.update: the new address works, the old one no longer", async () => {
    const moved = "https://moved.example/api/auth/callback/whop";
    await owner.apps.update(client_id, { redirect_uris: [moved] });
    assert.equal(claims((await signIn(app(moved))).id_token).sub, ann.id);
    const page = await new Browser(issuer).open(start(app(uris[0]!)).url.href);
    assert.equal(page.status, 400);
    assert.ok(page.url.startsWith(issuer));
  });

  it("wants its secret once it is confidential", async () => {
    const moved = "https://moved.example/api/auth/callback/whop";
    await owner.apps.update(client_id, { redirect_uris: [moved], oauth_client_type: "confidential" });
    await assert.rejects(signIn(app(moved, "none")), /client_secret is required/);
    assert.equal(claims((await signIn(app(moved, "client_secret_basic"))).id_token).sub, ann.id);
  });
});

describe("the ready line", () => {
  it("names an app that anybody can sign in to at once", async () => {
    assert.ok(demo.oauth);
    const tokens = await signIn({ ...demo.oauth, method: "client_secret_post" });
    assert.equal(claims(tokens.id_token).sub, ann.id);
  });
});

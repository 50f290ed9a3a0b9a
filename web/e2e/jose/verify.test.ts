/** An app verifies our tokens with `jose` and the published keys, as `docs/tokens.md` shows it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { Hallpass } from "@hallpass/harness/hallpass";
import { root } from "@hallpass/harness/paths";
import Whop from "@whop/sdk";
import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
} from "jose";

const hallpass = await Hallpass.start();
const { url, company_id, api_key } = hallpass.ready;
process.env.HALLPASS_URL = url;
const { verifyChatToken } = await import("./verify.ts");

const owner = new Whop({ apiKey: api_key, baseURL: hallpass.baseURL });
const user_id = hallpass.user("ann");
const mint = () =>
  owner.accessTokens.create({ company_id, user_id, scoped_actions: ["chat:read", "chat:message:create"] });

async function publishedKeys(): Promise<JWK[]> {
  const response = await fetch(`${url}/.well-known/jwks.json`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /application\/(jwk-set\+)?json/);
  return ((await response.json()) as { keys: JWK[] }).keys;
}

describe("a minted token", () => {
  it("verifies with the published keys and says who, where, what and until when", async () => {
    const { token, expires_at } = await mint();
    const claims = await verifyChatToken(token);
    assert.equal(claims.sub, user_id);
    assert.equal(claims.company_id, company_id);
    assert.equal(claims.kind, "minted");
    assert.match(String(claims.client_id), /^apik_/);
    assert.deepEqual(String(claims.scope).split(" ").sort(), ["chat:message:create", "chat:read"]);
    assert.equal(claims.exp, Math.floor(Date.parse(expires_at) / 1000));
    assert.ok(claims.iat! <= claims.exp!);
    assert.equal(typeof claims.jti, "string");
  });

  it("names its key by the thumbprint, and the key is public only", async () => {
    const { kid, alg, typ } = decodeProtectedHeader((await mint()).token);
    assert.equal(alg, "ES256");
    assert.equal(typ, "at+jwt");
    const keys = await publishedKeys();
    const key = keys.find((each) => each.kid === kid);
    assert.ok(key, `${kid} is not published`);
    assert.equal(kid, await calculateJwkThumbprint(key));
    for (const each of keys) {
      assert.equal(each.kty, "EC");
      assert.equal(each.crv, "P-256");
      assert.equal(each.alg, "ES256");
      assert.equal(each.use, "sig");
      assert.equal(each.d, undefined);
    }
  });

  it("verifies no more once a letter of its claims is another", async () => {
    const [header, payload, signature] = (await mint()).token.split(".") as [string, string, string];
    const other = payload.replace(/^./, (letter) => (letter === "e" ? "f" : "e"));
    await assert.rejects(verifyChatToken(`${header}.${other}.${signature}`), errors.JOSEError);
  });

  it("cannot be made with another key that borrows the kid", async () => {
    const { kid } = decodeProtectedHeader((await mint()).token);
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const forge = (header: object) =>
      new SignJWT({ kind: "minted", company_id, scope: "chat:read" })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: kid!, ...header })
        .setIssuer(url)
        .setAudience(url)
        .setSubject(user_id)
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(privateKey);
    const { d: _secret, ...jwk } = await exportJWK(privateKey);
    for (const forged of [await forge({}), await forge({ jwk }), await forge({ typ: "JWT" })]) {
      await assert.rejects(verifyChatToken(forged), errors.JOSEError);
      const answer = await fetch(`${hallpass.baseURL}/users/me`, { headers: { authorization: `Bearer ${forged}` } });
      assert.equal(answer.status, 401);
    }
  });
});

describe("docs/tokens.md", () => {
  it("shows exactly the code that is tested here", () => {
    const code = readFileSync(new URL("./verify.ts", import.meta.url), "utf8");
    const page = readFileSync(`${root}docs/tokens.md`, "utf8");
    assert.ok(page.includes(`\`\`\`typescript\n${code}\`\`\`\n`), "docs/tokens.md has no such block");
  });
});

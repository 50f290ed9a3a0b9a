import assert from "node:assert/strict";
import { describe } from "node:test";

import { BadRequestError, NotFoundError, PermissionDeniedError } from "@whop/sdk";

import {
  ann,
  collect,
  company_id,
  connectedAccount,
  demo,
  details,
  freshEmail,
  id,
  it,
  owner,
  refusal,
  stranger,
  whop,
} from "./stage.ts";

describe("companies", () => {
  it("create enrols a user and says who it is", async () => {
    const company = await owner.companies.create({
      email: freshEmail(),
      parent_company_id: company_id,
      title: "A connected account",
      metadata: { internal_user_id: "user_12345", nested: { kept: [true, null, 1.5] } },
    });
    assert.match(company.id, id("biz"));
    assert.match(company.owner_user.id, id("user"));
    assert.equal(company.title, "A connected account");
    assert.deepEqual(company.metadata, { internal_user_id: "user_12345", nested: { kept: [true, null, 1.5] } });
    assert.deepEqual(await owner.companies.retrieve(company.id), company);
  });

  it("create with the same address again makes another company for the same user", async () => {
    const email = freshEmail();
    const ask = { email, parent_company_id: company_id, title: "A connected account" };
    const first = await owner.companies.create(ask);
    const second = await owner.companies.create({ ...ask, email: email.toUpperCase() });
    assert.notEqual(second.id, first.id);
    assert.equal(second.owner_user.id, first.owner_user.id);
  });

  it("create names the field that is missing", async () => {
    const ask = { parent_company_id: company_id, title: "A connected account" };
    assert.equal(details(await refusal(BadRequestError, owner.companies.create(ask))).param, "email");
    const untitled = { email: freshEmail(), parent_company_id: company_id } as unknown as typeof ask;
    assert.equal(details(await refusal(BadRequestError, owner.companies.create(untitled))).param, "title");
  });

  it("update changes what is given and nothing else", async () => {
    const before = await connectedAccount();
    const after = await owner.companies.update(before.id, {
      title: "Another title",
      description: "What it does",
      target_audience: "Those who chat",
      route: `route-${before.id.toLowerCase().replace("_", "-")}`,
      send_customer_emails: false,
      social_links: [{ url: "https://example.com/", website: "website" }],
    });
    assert.equal(after.title, "Another title");
    assert.equal(after.description, "What it does");
    assert.equal(after.target_audience, "Those who chat");
    assert.equal(after.route, `route-${before.id.toLowerCase().replace("_", "-")}`);
    assert.equal(after.send_customer_emails, false);
    assert.deepEqual(
      after.social_links.map(({ url, website }) => ({ url, website })),
      [{ url: "https://example.com/", website: "website" }],
    );
    assert.deepEqual(after.owner_user, before.owner_user);
    assert.equal(after.created_at, before.created_at);

    const cleared = await owner.companies.update(before.id, { description: null, social_links: [] });
    assert.equal(cleared.description, null);
    assert.deepEqual(cleared.social_links, []);
    assert.equal(cleared.title, "Another title");
    const { updated_at: _now, ...untouched } = await owner.companies.update(before.id);
    assert.deepEqual({ ...untouched, updated_at: cleared.updated_at }, cleared);
  });

  it("list walks a platform's connected accounts, both ways, and nobody else's", async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n++) made.push((await connectedAccount(`Number ${n}`)).id);
    const walk = async (direction: "asc" | "desc") => {
      const query = { parent_company_id: company_id, first: 2, direction };
      return (await collect(owner.companies.list(query))).map((each) => each.id);
    };
    const ascending = await walk("asc");
    assert.equal(new Set(ascending).size, ascending.length, "a company is listed twice");
    assert.deepEqual(ascending.slice(-5), made);
    assert.deepEqual(await walk("desc"), ascending.toReversed());
    assert.ok(!ascending.includes(company_id) && !ascending.includes(demo.other.company_id));
    await refusal(NotFoundError, stranger.companies.list({ parent_company_id: company_id }));
  });

  it("list filters by time of creation", async () => {
    const [first, second] = [await connectedAccount(), await connectedAccount()];
    const listed = async (filter: object) => {
      const found = await collect(owner.companies.list({ parent_company_id: company_id, ...filter }));
      return found.map((each) => each.id).filter((id) => id === first.id || id === second.id);
    };
    assert.deepEqual(await listed({ created_before: first.created_at }), []);
    assert.deepEqual(await listed({ created_after: second.created_at }), []);
    const parent = await owner.companies.retrieve(company_id);
    assert.deepEqual(await listed({ created_after: parent.created_at, direction: "asc" }), [first.id, second.id]);
  });

  it("list without a parent shows what the key can reach", async () => {
    const reachable = (await collect(owner.companies.list())).map((each) => each.id);
    assert.ok(reachable.includes(company_id), "the key's own company is missing");
    assert.ok(!reachable.includes(demo.other.company_id), "another tenant's company is listed");
  });

  it("createAPIKey makes a key that works for the child alone", async () => {
    const [child, sibling] = [await connectedAccount(), await connectedAccount()];
    const key = await owner.companies.createAPIKey(company_id, {
      child_company_id: child.id,
      name: "Its own",
      role: "admin",
    });
    assert.match(key.id, id("apik"));
    assert.equal(key.name, "Its own");
    const keyed = whop(key.secret_key);
    assert.equal((await keyed.companies.retrieve(child.id)).id, child.id);
    await refusal(NotFoundError, keyed.companies.retrieve(sibling.id));
    await refusal(NotFoundError, keyed.companies.retrieve(company_id));
  });

  it("createAPIKey holds a key to its permissions", async () => {
    const child = await connectedAccount();
    const { secret_key } = await owner.companies.createAPIKey(company_id, {
      child_company_id: child.id,
      permissions: [{ actions: ["company:basic:read"], grant: true, resources: [child.id] }],
    });
    const keyed = whop(secret_key);
    await keyed.companies.retrieve(child.id);
    const error = await refusal(PermissionDeniedError, keyed.companies.update(child.id, { title: "Taken over" }));
    assert.match(details(error).message, /company:update/);
  });

  it("stay behind their tenant's wall", async () => {
    await refusal(NotFoundError, stranger.companies.retrieve(company_id));
    await refusal(NotFoundError, stranger.companies.update(company_id, { title: "Taken over" }));
    await refusal(
      NotFoundError,
      stranger.companies.createAPIKey(company_id, { child_company_id: company_id, role: "owner" }),
    );
    await refusal(PermissionDeniedError, ann.companies.update(company_id, { title: "Taken over" }));
  });
});

import assert from "node:assert/strict";
import { describe } from "node:test";

import { BadRequestError, ConflictError, NotFoundError, PermissionDeniedError } from "@whop/sdk";

import { ann, collect, company_id, connectedAccount, counted, demo, details, id, it, nobody, owner, refusal, stranger, whop } from "./stage.ts";

/** A user of the demo company, on no team of it. */
async function newcomer(): Promise<string> {
  return (await connectedAccount()).owner_user.id;
}

describe("authorized users", () => {
  it("create puts a user on the team, retrieve and list show them, delete takes them off", async () => {
    const user_id = await newcomer();
    const made = await owner.authorizedUsers.create({ company_id, user_id, role: "moderator", send_emails: false });
    assert.match(made.id, id("ausr"));
    assert.equal(made.role, "moderator");
    assert.equal(made.company.id, company_id);
    assert.equal(made.user.id, user_id);
    assert.match(made.user.email ?? "", /@example\.com$/);
    assert.deepEqual(await owner.authorizedUsers.retrieve(made.id), made);
    assert.deepEqual(await collect(owner.authorizedUsers.list({ company_id, user_id })), [made]);
    const moderators = await collect(owner.authorizedUsers.list({ company_id, role: "moderator", first: 1 }));
    assert.ok(moderators.some((each) => each.id === made.id));
    assert.deepEqual(await collect(owner.authorizedUsers.list({ company_id, created_after: "2100-01-01T00:00:00Z" })), []);
    assert.equal(await owner.authorizedUsers.delete(made.id, { company_id }), true);
    await refusal(NotFoundError, owner.authorizedUsers.retrieve(made.id));
  });

  it("nobody gives more than they may, and the owner stays: said once, without retries", async () => {
    const user_id = await newcomer();
    const { secret_key } = await owner.companies.createAPIKey(company_id, { child_company_id: company_id, role: "admin" });
    const admin = whop(secret_key);
    const refused = await refusal(
      PermissionDeniedError,
      admin.authorizedUsers.create({ company_id, user_id, role: "owner" }),
    );
    assert.equal(details(refused).code, "role_above_own");
    const [first] = (await collect(owner.authorizedUsers.list({ company_id, role: "owner" }))).slice(-1);
    assert.ok(first);
    const { fetch, requests } = counted();
    const patient = whop(demo.api_key, { fetch });
    assert.equal(details(await refusal(ConflictError, patient.authorizedUsers.delete(first.id))).code, "last_owner");
    assert.equal(requests.length, 1);
  });

  it("stay behind their tenant's wall and their scopes", async () => {
    const [listed] = await collect(owner.authorizedUsers.list({ company_id, first: 1 }));
    assert.ok(listed);
    await refusal(NotFoundError, stranger.authorizedUsers.retrieve(listed.id));
    await refusal(NotFoundError, stranger.authorizedUsers.list({ company_id }));
    await refusal(PermissionDeniedError, ann.authorizedUsers.list({ company_id }));
    await refusal(NotFoundError, owner.authorizedUsers.retrieve(nobody("ausr")));
    await refusal(BadRequestError, owner.authorizedUsers.create({ company_id, user_id: "ann@example.com", role: "moderator" }));
  });
});

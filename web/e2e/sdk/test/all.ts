/** The whole suite against one server, and at the end the proof that it left no operation out. */
import "./access-tokens.test.ts";
import "./companies.test.ts";
import "./users.test.ts";
import "./members.test.ts";
import "./authorized-users.test.ts";
import "./team-members.test.ts";
import "./accounts.test.ts";
import "./apps.test.ts";
import "./experiences.test.ts";
import "./chat-channels.test.ts";
import "./messages.test.ts";
import "./dm-channels.test.ts";
import "./dm-members.test.ts";
import "./support-channels.test.ts";
import "./files.test.ts";
import "./webhooks.test.ts";
import "./reactions.test.ts";
import "./pagination.test.ts";
import "./errors.test.ts";
import "./guide.test.ts";

import assert from "node:assert/strict";

import { contract, it } from "./stage.ts";

const delivered = [
  "access_tokens.create",
  "companies.create",
  "companies.list",
  "companies.retrieve",
  "companies.update",
  "companies.create_api_key",
  "users.list",
  "users.retrieve",
  "users.update",
  "users.update_me",
  "users.check_access",
  "members.list",
  "members.retrieve",
  "authorized_users.list",
  "authorized_users.retrieve",
  "authorized_users.create",
  "authorized_users.delete",
  "team_members.list",
  "team_members.retrieve",
  "team_members.create",
  "team_members.update",
  "team_members.delete",
  "accounts.list",
  "accounts.create",
  "accounts.me",
  "accounts.retrieve",
  "accounts.update",
  "apps.list",
  "apps.create",
  "apps.retrieve",
  "apps.update",
  "experiences.create",
  "experiences.list",
  "experiences.retrieve",
  "experiences.update",
  "experiences.delete",
  "experiences.attach",
  "experiences.detach",
  "experiences.duplicate",
  "files.create",
  "files.retrieve",
  "chat_channels.list",
  "chat_channels.retrieve",
  "chat_channels.update",
  "messages.create",
  "messages.list",
  "messages.retrieve",
  "messages.update",
  "messages.delete",
  "dm_channels.list",
  "dm_channels.create",
  "dm_channels.retrieve",
  "dm_channels.update",
  "dm_channels.delete",
  "dm_members.list",
  "dm_members.create",
  "dm_members.retrieve",
  "dm_members.update",
  "dm_members.delete",
  "support_channels.list",
  "support_channels.create",
  "support_channels.retrieve",
  "webhooks.list",
  "webhooks.create",
  "webhooks.retrieve",
  "webhooks.update",
  "webhooks.delete",
  "messages.search",
  "reactions.create",
  "reactions.list",
  "reactions.retrieve",
  "reactions.delete",
];

it("every delivered operation was called through the official SDK", async () => {
  assert.deepEqual(
    delivered.filter((operation) => !contract.called.has(operation)),
    [],
  );
});

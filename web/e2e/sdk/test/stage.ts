/** One server for the whole run, clients that check the contract, and the fixtures tests build on it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { it as nodeIt } from "node:test";

import { Contract } from "@hallpass/harness/contract";
import { Hallpass } from "@hallpass/harness/hallpass";
import Whop, { AuthenticationError, type ClientOptions } from "@whop/sdk";

export const hallpass = await Hallpass.start();
export const demo = hallpass.ready;
export const contract = new Contract();

/** A test that also fails when an answer on its way broke the contract. */
export function it(sentence: string, body: () => Promise<void>): void {
  void nodeIt(sentence, async () => {
    let failure: unknown;
    await body().catch((error: unknown) => (failure = error));
    const violations = contract.takeViolations();
    if (violations.length) {
      throw new Error(`the contract is broken:\n${violations.join("\n")}`, { cause: failure });
    }
    if (failure) throw failure;
  });
}

/** The official client, with nothing changed but the host; `server` defaults to the shared one. */
export function whop(apiKey: string, options: ClientOptions = {}, server = hallpass): Whop {
  return new Whop({ apiKey, baseURL: server.baseURL, fetch: contract.fetch, ...options });
}

/** The demo company's server, with its owner key. */
export const owner = whop(demo.api_key);

/** The key of the other company, from behind the wall. */
export const stranger = whop(demo.other.api_key);

export const company_id = demo.company_id;

/** A client that speaks as `user_id` in the demo company, with all that the role allows or only `scoped_actions`. */
export async function as(user_id: string, scoped_actions: string[] = []): Promise<Whop> {
  const { token } = await owner.accessTokens.create({ company_id, user_id, scoped_actions });
  return whop(token);
}

export const ann = await as(hallpass.user("ann"));
export const ben = await as(hallpass.user("ben"));

export const freshEmail = (): string => `${randomUUID()}@example.com`;

/** A connected account of the demo company, and with it a user local to that company. */
export function connectedAccount(title = "A connected account"): ReturnType<typeof owner.companies.create> {
  return owner.companies.create({ email: freshEmail(), parent_company_id: company_id, title });
}

/** A public chat channel of its own. */
export async function newChannel(name = "A channel"): Promise<{ channel_id: string; experience_id: string }> {
  const experience = await owner.experiences.create({ app_id: demo.app_id, company_id, is_public: true, name });
  const channel = await owner.chatChannels.retrieve(experience.id);
  return { channel_id: channel.id, experience_id: experience.id };
}

/** `exp_` and a ULID. */
export function id(prefix: string): RegExp {
  return new RegExp(`^${prefix}_[0-7][0-9A-HJKMNP-TV-Z]{25}$`);
}

/** A well-formed id that nothing has. */
export const nobody = (prefix: string): string => `${prefix}_00000000000000000000000000`;

interface ErrorClass<E> {
  new (...args: never[]): E;
}

/** The error the call fails with; it must be of this class. */
export async function refusal<E>(kind: ErrorClass<E>, call: PromiseLike<unknown>): Promise<E> {
  const outcome = await Promise.resolve(call).then(
    (value) => assert.fail(`expected ${kind.name}, got ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof kind, `expected ${kind.name}, got ${String(outcome)}`);
  return outcome;
}

/** What the server says about a refusal: the inner object of its body. */
export function details(error: { error: unknown }): {
  type: string;
  message: string;
  code: string | null;
  param: string | null;
} {
  return (error.error as { error: ReturnType<typeof details> }).error;
}

/** Fails unless the credential behind `call` is refused with 401 before `within_ms` have passed. */
export async function refusedWithin(within_ms: number, call: () => PromiseLike<unknown>): Promise<void> {
  const deadline = performance.now() + within_ms;
  for (;;) {
    try {
      await call();
    } catch (error) {
      if (error instanceof AuthenticationError) return;
      throw error;
    }
    assert.ok(performance.now() < deadline, `still accepted after ${within_ms} ms`);
  }
}

/** The claims of a token, unverified. */
export function claims(token: string): Record<string, unknown> & { scope: string; exp: number; jti: string } {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

/** A `fetch` that also says which requests an SDK made. */
export function counted(): { fetch: typeof contract.fetch; requests: string[] } {
  const requests: string[] = [];
  return {
    requests,
    fetch: (input, init) => {
      requests.push(`${init?.method ?? "GET"} ${new URL(input instanceof Request ? input.url : input).pathname}`);
      return contract.fetch(input, init);
    },
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

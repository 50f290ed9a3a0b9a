/**
 * Checks every answer the server gives against `spec/contract.json`: status, content type, and the body's
 * required and nullable fields, enums and types. It stands between an SDK and the network as the SDK's
 * `fetch`; what it finds is collected, because a throwing `fetch` would look like a lost connection.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

import { readShared } from "./paths.ts";

interface Operation {
  operation: string;
  method: string;
  path: string;
  success_status: number;
  response: object;
}

interface ContractFile {
  operations: Operation[];
  error_response: object;
  $defs: object;
}

/** A line of a webhook's delivery log. */
const delivery = {
  type: "object",
  properties: {
    id: { type: "string", pattern: "^msg_" },
    event: { type: "string" },
    status: { enum: ["delivered", "retrying", "waiting", "failed", "skipped", "disabled"] },
    attempts: { type: "integer", minimum: 0 },
    response_status: { type: ["integer", "null"] },
    error: { type: ["string", "null"] },
    created_at: { type: "string", format: "date-time" },
    last_attempt_at: { type: ["string", "null"], format: "date-time" },
    next_attempt_at: { type: ["string", "null"], format: "date-time" },
  },
  required: [
    "id",
    "event",
    "status",
    "attempts",
    "response_status",
    "error",
    "created_at",
    "last_attempt_at",
    "next_attempt_at",
  ],
};

/** Our own additions, which the contract does not know, and what they answer. */
const extensions: Operation[] = [
  {
    operation: "access_tokens.revoke",
    method: "POST",
    path: "/access_tokens/revoke",
    success_status: 200,
    response: { type: "object", properties: { revoked: { const: true } }, required: ["revoked"] },
  },
  {
    operation: "companies.enrol",
    method: "PUT",
    path: "/companies/{id}/members/{user_id}",
    success_status: 200,
    response: { $ref: "#/$defs/MemberRetrieveResponse" },
  },
  {
    operation: "messages.search",
    method: "GET",
    path: "/messages/search",
    success_status: 200,
    response: {
      type: "object",
      properties: { data: { type: "array", items: { $ref: "#/$defs/Message" } }, page_info: { $ref: "#/$defs/PageInfo" } },
      required: ["data", "page_info"],
    },
  },
  {
    operation: "companies.unenrol",
    method: "DELETE",
    path: "/companies/{id}/members/{user_id}",
    success_status: 200,
    response: { const: true },
  },
  {
    operation: "webhooks.rotate_secret",
    method: "POST",
    path: "/webhooks/{id}/rotate_secret",
    success_status: 200,
    response: { $ref: "#/$defs/WebhookCreateResponse" },
  },
  { operation: "webhooks.test", method: "POST", path: "/webhooks/{id}/test", success_status: 200, response: delivery },
  {
    operation: "webhooks.deliveries",
    method: "GET",
    path: "/webhooks/{id}/deliveries",
    success_status: 200,
    response: {
      type: "object",
      properties: { data: { type: "array", items: delivery }, page_info: { $ref: "#/$defs/PageInfo" } },
      required: ["data", "page_info"],
    },
  },
  {
    operation: "webhooks.replay",
    method: "POST",
    path: "/webhooks/{id}/deliveries/{delivery_id}/replay",
    success_status: 200,
    response: delivery,
  },
];

/** `error.type` by status; no other status may refuse a request, and none may be a 5xx. */
const errorTypes: Record<number, string> = {
  400: "invalid_request_error",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  422: "unprocessable",
  429: "rate_limit_exceeded",
};

const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface Route {
  operation: Operation;
  pattern: RegExp;
  validate: ValidateFunction;
}

export class Contract {
  readonly #routes: Route[];
  readonly #validateError: ValidateFunction;
  readonly #called = new Set<string>();
  #violations: string[] = [];

  constructor() {
    const file = JSON.parse(readShared("spec/contract.json")) as ContractFile;
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
    ajv.addFormat("date-time", milliseconds);
    const compile = (schema: object) => ajv.compile({ ...schema, $defs: file.$defs });
    this.#validateError = compile(file.error_response);
    // `/users/me` before `/users/{id}`.
    const parameters = ({ path }: Operation) => path.split("{").length;
    const operations = [...extensions, ...file.operations].sort((a, b) => parameters(a) - parameters(b));
    this.#routes = operations.map((operation) => ({
      operation,
      pattern: new RegExp(`^/api/v1${operation.path.replace(/\{\w+\}/g, "[^/]+")}$`),
      validate: compile(operation.response),
    }));
  }

  /** The operations that succeeded at least once, by their name in the contract. */
  get called(): ReadonlySet<string> {
    return this.#called;
  }

  /** What was found since the last call. */
  takeViolations(): string[] {
    const found = this.#violations;
    this.#violations = [];
    return found;
  }

  /** The `fetch` to give to an SDK. */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    const method = init?.method ?? "GET";
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    // Uploads go to an address of their own, beside the API.
    if (!pathname.startsWith("/api/v1/")) return response;
    const text = await response.clone().text();
    for (const fault of this.#faults(method, pathname, response, text)) {
      this.#violations.push(`${method} ${pathname} answered ${response.status}: ${fault}\n  ${text.slice(0, 2000)}`);
    }
    return response;
  };

  *#faults(method: string, pathname: string, response: Response, text: string): Generator<string> {
    if (!response.headers.get("content-type")?.includes("application/json")) {
      yield `content type ${response.headers.get("content-type")}`;
    }
    const body = parse(text);
    if (body === undefined) {
      yield "not JSON";
    } else if (response.ok) {
      yield* this.#successFaults(method, pathname, response.status, body);
    } else {
      yield* this.#errorFaults(response, body);
    }
  }

  *#successFaults(method: string, pathname: string, status: number, body: unknown): Generator<string> {
    const route = this.#routes.find(({ operation, pattern }) => operation.method === method && pattern.test(pathname));
    if (!route) {
      yield "an operation the contract does not know";
      return;
    }
    this.#called.add(route.operation.operation);
    if (status !== route.operation.success_status) {
      yield `expected status ${route.operation.success_status}`;
    }
    if (!route.validate(body)) yield describe(route.validate);
  }

  *#errorFaults(response: Response, body: unknown): Generator<string> {
    if (!this.#validateError(body)) {
      yield describe(this.#validateError);
      return;
    }
    const { error } = body as { error: { type: string; code?: string | null } };
    if (error.type !== errorTypes[response.status]) yield `error.type, expected ${errorTypes[response.status]}`;
    if (response.status === 400 && !error.code) yield "a 400 without error.code";
    if (response.status === 429 && !response.headers.has("retry-after")) yield "a 429 without retry-after";
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describe(validate: ValidateFunction): string {
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`).join("; ");
}

/**
 * The guide's first half, "Company-scoped user tokens", run as it is written: its fenced code, with host,
 * ids and port put in. `examples/` must be the same code with the ids taken from the environment.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { promisify } from "node:util";

import { snippet, snippets } from "@hallpass/harness/guide";
import { readShared, root } from "@hallpass/harness/paths";

import { ann, claims, collect, company_id, demo, hallpass, it, newChannel, owner, whop } from "./stage.ts";

const user_id = hallpass.user("ann");
const all = snippets("seeds/authentication-full.txt");
const labelled = (label: string) => snippet(all, (each) => each.label.startsWith(label));
const containing = (text: string) =>
  snippet(all, (each) => each.code.includes(text) && !each.code.includes("/api/token"));

const route = labelled("typescript app/api/chat/token/route.ts");
const server = labelled("typescript server.ts");
const curl = labelled("bash");
const getTokenCode = containing("async function getToken()");
const enrol = containing("client.companies.create");
const createApp = containing("client.apps.create");

const guideScopes = [
  "chat:message:create",
  "chat:read",
  "dms:channel:manage",
  "dms:message:manage",
  "dms:read",
  "support_chat:message:create",
  "support_chat:read",
];

/** The guide's placeholders, replaced by the demo company's. */
function withIds(code: string): string {
  return code.replaceAll("user_XXXXXXXXXXXX", user_id).replaceAll("biz_XXXXXXXXXXXXX", company_id);
}

const env = { ...process.env, WHOP_API_KEY: demo.api_key, WHOP_BASE_URL: hallpass.baseURL };
const run = promisify(execFile);

/** A folder with this one file and an example's installed packages, removed after use. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "hallpass-guide-"));

  private constructor() {}

  static async of(example: string, file: string, code: string): Promise<Folder> {
    const source = join(root, "examples", example);
    if (!existsSync(join(source, "node_modules"))) await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: source });
    const folder = new Folder();
    symlinkSync(join(source, "node_modules"), join(folder.path, "node_modules"));
    writeFileSync(join(folder.path, file), code);
    return folder;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Runs a TypeScript file to its end, and gives what it printed. */
async function execute(folder: Folder, file: string): Promise<string> {
  const { stdout } = await run(process.execPath, ["--import", tsx, file], { cwd: folder.path, env });
  return stdout;
}

const tsx = import.meta.resolve("tsx");

/** Starts a server on this port of localhost and waits until it listens. */
async function listening(folder: Folder, file: string, port: number): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, ["--import", tsx, file], { cwd: folder.path, env, stdio: "inherit" });
  const exited = once(child, "exit");
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${file} exited with ${child.exitCode}`);
  }
  return { [Symbol.asyncDispose]: () => stop(child, exited) };
}

async function stop(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill();
  await exited;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "localhost");
  const connected = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return connected;
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0);
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  return port;
}

/** The token is ann's, in the company, with exactly the guide's scopes; and it posts and lists. */
async function assertOpensChat(token: string): Promise<void> {
  assert.equal(claims(token).sub, user_id);
  assert.equal(claims(token).company_id, company_id);
  assert.deepEqual(claims(token).scope.split(" ").sort(), guideScopes);
  const { channel_id } = await newChannel();
  const chat = whop(token);
  const sent = await chat.messages.create({ channel_id, content: "From the guide" });
  assert.deepEqual(await collect(chat.messages.list({ channel_id })), [sent]);
}

describe("the guide", () => {
  it("cURL: mints", async () => {
    const { stdout } = await run("sh", ["-c", withIds(curl).replace("https://api.whop.com", demo.url)], { env });
    const minted = JSON.parse(stdout) as object;
    assert.deepEqual(Object.keys(minted).sort(), ["expires_at", "token"]);
    await assertOpensChat((minted as { token: string }).token);
  });

  it("Next.js: the route handler answers with a token", async () => {
    const print = 'import { POST } from "./route";\nPOST().then(async (answer) => console.log(await answer.text()));\n';
    using folder = await Folder.of("nextjs", "route.ts", withIds(route));
    writeFileSync(join(folder.path, "print.ts"), print);
    const { token } = JSON.parse(await execute(folder, "print.ts")) as { token: string };
    await assertOpensChat(token);
  });

  it("Express: the server answers the page's getToken", async () => {
    const port = await freePort();
    using folder = await Folder.of(
      "express",
      "server.ts",
      withIds(server).replace("app.listen(3000)", `app.listen(${port})`),
    );
    await using _running = await listening(folder, "server.ts", port);
    // A page of that server would resolve the path against its own address.
    const pageFetch: typeof fetch = (path, init) => fetch(new URL(path as string, `http://localhost:${port}`), init);
    const getToken = new Function("fetch", `${getTokenCode}\nreturn getToken;`)(pageFetch) as () => Promise<string>;
    await assertOpensChat(await getToken());
    assert.notEqual(await getToken(), await getToken());
  });

  it("Sync your users: enrol, set what the company shows, mint for the owner", async () => {
    using folder = await Folder.of(
      "express",
      "enrol.mts",
      `${withIds(enrol)}\nconsole.log(JSON.stringify(company));\n`,
    );
    const company = JSON.parse(await execute(folder, "enrol.mts")) as {
      title: string;
      metadata: object;
      owner_user: { id: string };
    };
    assert.equal(company.title, "Jane Doe");
    assert.deepEqual(company.metadata, { internal_user_id: "user_12345" });

    const enrolled = company.owner_user.id;
    await owner.users.update(enrolled, { account_id: company_id, name: "Jane" });
    const { token } = await owner.accessTokens.create({ company_id, user_id: enrolled, scoped_actions: guideScopes });
    const { channel_id } = await newChannel();
    await whop(token).messages.create({ channel_id, content: "Enrolled a moment ago" });
    const [message] = await collect(ann.messages.list({ channel_id }));
    assert.equal(message?.user.id, enrolled);
    assert.equal(message?.user.name, "Jane");
  });

  it("Create an app: two fields make an OAuth client, and its secret is there", async () => {
    using folder = await Folder.of("express", "app.mts", `${createApp}\nconsole.log(JSON.stringify(app));\n`);
    const [printedId, printedSecret, json] = (await execute(folder, "app.mts")).trim().split("\n");
    const app = JSON.parse(json ?? "") as { id: string; client_secret: string; redirect_uris: string[] };
    assert.deepEqual([printedId, printedSecret], [app.id, app.client_secret]);
    assert.match(app.client_secret, /^hpc_/);
    const kept = await owner.apps.retrieve(app.id);
    assert.equal(kept.company.id, company_id);
    assert.deepEqual(kept.redirect_uris, app.redirect_uris);
    for (const uri of kept.redirect_uris) assert.ok(createApp.includes(JSON.stringify(uri)), uri);
  });

  it("both printings have the same route handler", async () => {
    assert.ok(readShared("seeds/authentication-short.txt").includes(route));
  });

  it("examples/ is the guide's code with the ids and the port from the environment", async () => {
    const fromEnvironment = (code: string) =>
      code
        .replace('"user_XXXXXXXXXXXX"', "process.env.WHOP_USER_ID")
        .replace('"biz_XXXXXXXXXXXXX"', "process.env.WHOP_COMPANY_ID")
        .replace("app.listen(3000)", "app.listen(process.env.PORT ?? 3000)");
    const example = (path: string) => readFileSync(join(root, "examples", path), "utf8");
    assert.equal(example("express/server.ts"), fromEnvironment(server));
    assert.equal(example("nextjs/app/api/chat/token/route.ts"), fromEnvironment(route));
  });
});

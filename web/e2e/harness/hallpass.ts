/** Runs `hallpass dev` as a child process and hands over what its ready line says. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";

import { binary } from "./paths.ts";

const ready_within_ms = 30_000;

export interface DemoUser {
  id: string;
  username: string;
  email: string;
  password: string;
  role: string;
}

/** The line `hallpass dev` prints once it serves; what is not built yet is null. */
export interface Ready {
  event: "ready";
  url: string;
  company_id: string;
  api_key: string;
  app_id: string;
  users: DemoUser[];
  experience_id: string;
  channel_id: string;
  oauth: { client_id: string; client_secret: string; redirect_uri: string } | null;
  other: { company_id: string; api_key: string; user_id: string; channel_id: string };
}

export class Hallpass {
  readonly ready: Ready;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ready: Ready) {
    this.#child = child;
    this.ready = ready;
  }

  /** Starts `hallpass dev --port 0 FLAGS…`. It never keeps this process alive and does not outlive it. */
  static async start(...flags: string[]): Promise<Hallpass> {
    return Hallpass.#start(["--port", "0", ...flags], {});
  }

  /** The same under the name `localhost`: browsers make no passkeys for an address without a name. */
  static async startByName(...flags: string[]): Promise<Hallpass> {
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const hallpass = await Hallpass.#start(["--port", String(port), ...flags], { HALLPASS_HTTP__PUBLIC_URL: url });
    hallpass.ready.url = url;
    return hallpass;
  }

  static async #start(flags: string[], env: NodeJS.ProcessEnv): Promise<Hallpass> {
    const child = spawn(binary, ["dev", ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    process.once("exit", () => child.kill());

    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-16_384)));
    const failed = (reason: string) => new Error(`hallpass ${reason}:\n${log}`);

    const timeUp = AbortSignal.timeout(ready_within_ms);
    const lines = createInterface(child.stdout);
    const line = await Promise.race([
      once(lines, "line", { signal: timeUp }).then(
        ([text]) => text as string,
        () => Promise.reject(failed("is not ready in time")),
      ),
      once(child, "exit").then(([code]) => Promise.reject(failed(`exited with ${code}`))),
    ]);

    const ready = JSON.parse(line) as Ready;
    if (ready.event !== "ready") throw failed(`printed ${line}`);
    for (const handle of [child, child.stdout, child.stderr]) (handle as unknown as { unref(): void }).unref();
    return new Hallpass(child, ready);
  }

  /** What an SDK takes for its base URL. */
  get baseURL(): string {
    return `${this.ready.url}/api/v1`;
  }

  /** The id of the demo user called `username`. */
  user(username: string): string {
    return this.person(username).id;
  }

  /** The demo user called `username`, who can sign in. */
  person(username: string): DemoUser {
    return this.#find((user) => user.username === username, username);
  }

  /** The id of the first demo user with `role`. */
  userWithRole(role: string): string {
    return this.#find((user) => user.role === role, role).id;
  }

  #find(matches: (user: DemoUser) => boolean, what: string): DemoUser {
    const user = this.ready.users.find(matches);
    if (!user) throw new Error(`no demo user ${what}`);
    return user;
  }

  async stop(): Promise<void> {
    this.#child.ref();
    const exited = once(this.#child, "exit");
    this.#child.kill();
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

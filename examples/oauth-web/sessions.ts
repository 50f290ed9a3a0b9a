/** Sessions in memory. A real site keeps them in its database, with the tokens encrypted. */
import { randomBytes } from "node:crypto";
import type { Request, Response } from "express";

/** What a login that was begun must be answered with. */
export interface Login {
  verifier: string;
  state: string;
  nonce: string;
}

export interface SignedIn {
  name: string;
  id_token: string;
  access_token: string;
  refresh_token: string;
  /** In milliseconds since 1970. */
  expires_at: number;
  refreshing?: Promise<void>;
}

const login_lives_ms = 10 * 60_000;

export class Sessions {
  readonly #kept = new Map<string, Login | SignedIn>();
  readonly #cookie: string;
  readonly #options: { httpOnly: true; sameSite: "lax"; secure: boolean; path: "/" };

  constructor(secure: boolean) {
    this.#cookie = secure ? "__Host-session" : "session";
    // Lax, so that it comes along when Hallpass sends the browser back, and with no form of another site.
    this.#options = { httpOnly: true, sameSite: "lax", secure, path: "/" };
  }

  /** Begins a session under a new id: one that somebody planted before opens nothing. */
  begin(response: Response, session: Login | SignedIn): void {
    const id = randomBytes(32).toString("base64url");
    this.#kept.set(id, session);
    if (!("access_token" in session)) setTimeout(() => this.#kept.delete(id), login_lives_ms).unref();
    response.cookie(this.#cookie, id, this.#options);
  }

  takeLogin(request: Request): Login | undefined {
    const id = this.#id(request);
    const session = this.#kept.get(id);
    if (!session || "access_token" in session) return undefined;
    this.#kept.delete(id);
    return session;
  }

  signedIn(request: Request): SignedIn | undefined {
    const session = this.#kept.get(this.#id(request));
    return session && "access_token" in session ? session : undefined;
  }

  end(request: Request, response: Response): void {
    this.#kept.delete(this.#id(request));
    response.clearCookie(this.#cookie, this.#options);
  }

  #id(request: Request): string {
    const pairs = (request.headers.cookie ?? "").split("; ").map((pair) => pair.split("="));
    return pairs.find(([name]) => name === this.#cookie)?.[1] ?? "";
  }
}

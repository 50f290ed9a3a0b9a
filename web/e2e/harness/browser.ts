/**
 * A browser without a window: cookies, redirects and forms, and no script. What it cannot press, nobody can
 * without a script.
 */
export interface Field {
  type: string;
  value: string;
}

export interface Form {
  /** Where it is posted to, as a path. */
  action: string;
  fields: Map<string, Field>;
}

export interface Page {
  /** Where the browser is; of another origin if it was sent away from the server. */
  url: string;
  status: number;
  html: string;
  forms: Form[];
}

export interface Credentials {
  email: string;
  password: string;
}

const most_redirects = 10;

export class Browser {
  readonly #origin: string;
  readonly #cookies = new Map<string, string>();

  /** One that visits this server alone. */
  constructor(url: string) {
    this.#origin = new URL(url).origin;
  }

  /** Opens an address, following redirects until there is a page or they leave the server. */
  async open(url: string): Promise<Page> {
    return this.#request(url, { method: "GET" });
  }

  /** Fills in a form of the page, and presses one of its buttons if it has a name. */
  async submit(page: Page, action: string, typed: Record<string, string>): Promise<Page> {
    const form = page.forms.find((each) => each.action === action);
    if (!form) throw new Error(`no form ${action} on ${page.url} (${page.status}):\n${page.html}`);
    const body = new URLSearchParams([...form.fields].map(([name, { value }]) => [name, value]));
    for (const [name, value] of Object.entries(typed)) body.set(name, value);
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      // As browsers write it from a page that wants no referrer.
      origin: "null",
      "sec-fetch-site": "same-origin",
    };
    return this.#request(new URL(action, page.url).href, { method: "POST", headers, body: body.toString() });
  }

  /** Signs in with a password on the page that asks for one. */
  async signIn(page: Page, { email, password }: Credentials): Promise<Page> {
    const next = await this.submit(page, "/sign-in", { email, password });
    if (next.forms.some(({ action }) => action === "/sign-in")) throw new Error(`not signed in:\n${next.html}`);
    return next;
  }

  /** Decides on the page that asks for consent. */
  async decide(page: Page, decision: "allow" | "deny"): Promise<Page> {
    return this.submit(page, "/oauth/consent", { decision });
  }

  /**
   * Goes the whole way of an authorization request: signs in if asked to, allows if asked to. Gives the
   * address of the app that the browser was sent to.
   */
  async authorize(url: string | URL, who: Credentials): Promise<URL> {
    let page = await this.open(String(url));
    if (this.asks(page, "/sign-in")) page = await this.signIn(page, who);
    if (this.asks(page, "/oauth/consent")) page = await this.decide(page, "allow");
    return this.left(page);
  }

  /** Whether the page has this form. */
  asks(page: Page, action: string): boolean {
    return page.forms.some((form) => form.action === action);
  }

  /** Where the browser was sent to; fails if it is still at the server. */
  left(page: Page): URL {
    if (this.#isHere(page.url)) throw new Error(`still on ${page.url} (${page.status}):\n${page.html}`);
    return new URL(page.url);
  }

  /** The value of a cookie, whether or not it is bound to the host, if there is one. */
  cookie(name: string): string | undefined {
    return this.#cookies.get(name) ?? this.#cookies.get(`__Host-${name}`);
  }

  #isHere(url: string): boolean {
    return url.startsWith(`${this.#origin}/`);
  }

  async #request(url: string, init: RequestInit): Promise<Page> {
    for (let redirects = 0; redirects <= most_redirects; redirects++) {
      if (!this.#isHere(url)) return { url, status: 0, html: "", forms: [] };
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const headers = { ...(init.headers as Record<string, string>), ...(cookie && { cookie }) };
      const response = await fetch(url, { ...init, headers, redirect: "manual" });
      this.#keep(response.headers.getSetCookie());
      const location = response.headers.get("location");
      const html = await response.text();
      if (!location) return { url, status: response.status, html, forms: forms(html) };
      // Raw, as a browser hands it to an app: its scheme may be any.
      url = location.startsWith("/") ? new URL(location, url).href : location;
      init = { method: "GET" };
    }
    throw new Error(`too many redirects, the last to ${url}`);
  }

  #keep(lines: string[]): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(/; */);
      const [name = "", value = ""] = pair.split(/=(.*)/s);
      const isOver = attributes.some((each) => /^max-age=(0|-.*)$/i.test(each));
      if (isOver) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}

/** The forms that post. The server writes every attribute in double quotes, and templates close every form. */
function forms(html: string): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)]
    .map(([, head = "", body = ""]) => ({ attributes: attributes(head), body }))
    .filter(({ attributes }) => attributes.get("method") === "post")
    .map(({ attributes: of, body }) => {
      const fields = new Map<string, Field>();
      for (const [, head = ""] of body.matchAll(/<input\b([^>]*)>/g)) {
        const input = attributes(head);
        const name = input.get("name");
        if (name) fields.set(name, { type: input.get("type") ?? "text", value: input.get("value") ?? "" });
      }
      return { action: of.get("action") ?? "", fields };
    });
}

function attributes(head: string): Map<string, string> {
  return new Map([...head.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, unescape(value)]));
}

const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal ? String.fromCodePoint(Number(decimal)) : (named[name] ?? whole);
  });
}

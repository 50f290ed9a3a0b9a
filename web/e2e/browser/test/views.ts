/** Every page that people see, and how one gets there. */
import { ann, demo, freshEmail, issuer, newApp, owner, scope, start, Visitor } from "./stage.ts";

export interface View {
  name: string;
  visitor: Visitor;
  path: string;
  status?: number;
  /** What is done on the page before it is looked at. */
  act?: () => Promise<void>;
}

const everything =
  `${scope} user:profile:update chat:moderate support_chat:create company:basic:read company:update ` +
  "member:basic:read member:email:read experience:create developer:manage_webhook company:balance:read";

/** Signs up, with names that are long and odd, and with everything that an account can have. */
async function person(): Promise<Visitor> {
  const visitor = await Visitor.arrive();
  const { page } = visitor;
  await visitor.addAuthenticator();
  await visitor.open("/sign-up");
  const name = "Wolfeschlegelsteinhausenbergerdorff <b>der Ältere</b> \u202e\u05d0";
  const who = await visitor.signUp(`a.rather.long.address.${freshEmail()}`, name);
  await page.click("[data-passkey='/passkeys/add'] button");
  await page.waitForSelector("form[action='/account/passkeys/rename']", { state: "attached" });
  const second = freshEmail();
  await page.fill("#email", second);
  await page.click("form[action='/account/emails'] button");
  await page.fill("#code", await visitor.letterCode(second));
  await page.click("form[action='/account/emails/code'] button.first");
  await page.waitForURL((url) => url.pathname === "/account");
  await visitor.open(start(await newApp()).url);
  await visitor.allow();
  await visitor.callback();

  await using elsewhere = await Visitor.arrive();
  await elsewhere.open("/sign-in");
  await elsewhere.signIn(who);
  await elsewhere.page.waitForURL(`${issuer}/account`);
  return visitor;
}

/** Somebody who is asked for a code that was sent to a new address. */
async function waitingForCode(): Promise<Visitor> {
  const visitor = await Visitor.arrive();
  await visitor.open("/sign-up");
  await visitor.page.fill("#email", freshEmail());
  await visitor.page.click("form[action='/sign-up'] button.first");
  await visitor.page.waitForSelector("#code");
  return visitor;
}

async function provedAddress(): Promise<Visitor> {
  const visitor = await Visitor.arrive();
  await visitor.open("/sign-up");
  await visitor.proveAddress(freshEmail());
  return visitor;
}

/** Somebody who resets their password, before or after the code. */
async function resetting(withCode: boolean): Promise<Visitor> {
  const visitor = await Visitor.arrive();
  const { page } = visitor;
  await using owner = await Visitor.arrive();
  await owner.open("/sign-up");
  const { email } = await owner.signUp();
  await visitor.open("/reset");
  await page.fill("#email", email);
  await page.click("form[action='/reset'] button.first");
  await page.waitForSelector("#code");
  if (withCode) {
    await page.fill("#code", await visitor.letterCode(email));
    await page.click("form[action='/reset/code'] button.first");
    await page.waitForSelector("#new_password");
  }
  return visitor;
}

async function addingAddress(): Promise<Visitor> {
  const visitor = await Visitor.arrive();
  const { page } = visitor;
  await visitor.open("/sign-up");
  await visitor.signUp();
  await page.fill("#email", freshEmail());
  await page.click("form[action='/account/emails'] button");
  await page.waitForSelector("#code");
  return visitor;
}

async function signedIn(): Promise<Visitor> {
  const visitor = await Visitor.arrive();
  await visitor.open("/sign-in");
  await visitor.signIn(ann);
  await visitor.page.waitForURL(`${issuer}/account`);
  return visitor;
}

/** What sends a form as it is, whatever the browser thinks of it. */
const unchecked = (visitor: Visitor, action: string) => async () => {
  const { page } = visitor;
  await page.$eval(`form[action='${action}']`, (form) => ((form as HTMLFormElement).noValidate = true));
  await page.click(`form[action='${action}'] button >> nth=0`);
  await page.waitForSelector("#problem");
};

export async function views(): Promise<View[]> {
  const app = await newApp();
  const company = { company_id: demo.company_id };
  await owner.companies.update(demo.company_id, { title: "Ye Olde Demo Company of Considerable Length & Sons" });
  const request = (more: Record<string, string> = {}) => start(app, more).url.slice(issuer.length);
  const behind = (path: string) => `${path}?continue=${encodeURIComponent(request())}`;
  const [nobody, wrong, someone, full] = [
    await Visitor.arrive(),
    await Visitor.arrive(),
    await signedIn(),
    await person(),
  ];
  return [
    { name: "sign in", visitor: nobody, path: behind("/sign-in") },
    { name: "sign in, wrong", visitor: wrong, path: behind("/sign-in"), act: unchecked(wrong, "/sign-in") },
    { name: "sign up", visitor: nobody, path: behind("/sign-up") },
    { name: "sign up, wrong", visitor: wrong, path: behind("/sign-up"), act: unchecked(wrong, "/sign-up") },
    { name: "code", visitor: await waitingForCode(), path: "/sign-in/code" },
    { name: "new account", visitor: await provedAddress(), path: "/sign-up/account" },
    { name: "reset", visitor: nobody, path: "/reset" },
    { name: "reset, code", visitor: await resetting(false), path: "/reset/code" },
    { name: "reset, new password", visitor: await resetting(true), path: "/reset/password" },
    { name: "consent", visitor: full, path: request({ scope: everything }) },
    { name: "consent in one company", visitor: someone, path: request(company) },
    { name: "account", visitor: full, path: "/account" },
    { name: "account, saved", visitor: full, path: "/account?done=profile" },
    { name: "account, wrong", visitor: full, path: "/account", act: unchecked(full, "/account/emails") },
    { name: "another address, code", visitor: await addingAddress(), path: "/account/emails/code" },
    { name: "sign out", visitor: someone, path: "/sign-out" },
    { name: "sign out of an app", visitor: someone, path: `/oauth/logout?client_id=${app.client_id}` },
    { name: "signed out", visitor: nobody, path: "/sign-out" },
    { name: "unknown app", visitor: nobody, path: "/oauth/authorize?client_id=nonsense", status: 400 },
    { name: "outbox", visitor: nobody, path: "/dev/outbox" },
  ];
}

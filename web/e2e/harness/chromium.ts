/** The distribution's Chromium, without a window and without the services of its vendor. */
import { type Browser, chromium } from "playwright-core";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts it; `HALLPASS_CHROMIUM` names another one than `/usr/bin/chromium`. */
export async function launch(): Promise<Browser> {
  const executablePath = process.env.HALLPASS_CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: flags });
}

/** Where things lie: this repository, and the reference material beside it (or at HALLPASS_SHARED). */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

const shared = process.env.HALLPASS_SHARED ?? `${root}../shared`;

/** The text of a file of the reference material, `seeds/authentication-full.txt`. */
export function readShared(path: string): string {
  return readFileSync(`${shared}/${path}`, "utf8");
}

export const binary = process.env.HALLPASS_BIN ?? `${root}target/debug/hallpass`;

/** The fenced code of the reference guide, as written there. */
import { readShared } from "./paths.ts";

export interface Snippet {
  /** What stands behind the fence: `typescript server.ts theme={null}`. */
  label: string;
  code: string;
}

/** Every fenced block of a file, without the indentation of its fence. */
export function snippets(path: string): Snippet[] {
  const found: Snippet[] = [];
  for (const [, indent = "", label = "", body = ""] of readShared(path).matchAll(fence)) {
    const code = body
      .split("\n")
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
      .join("\n");
    found.push({ label, code });
  }
  return found;
}

const fence = /^([ \t]*)```(\S.*)\n([\s\S]*?\n)\1```$/gm;

/** The one snippet that `matches`; the guide may print the same code for several platforms. */
export function snippet(all: Snippet[], matches: (snippet: Snippet) => boolean): string {
  const [code, ...others] = new Set(all.filter(matches).map((each) => each.code));
  if (code === undefined || others.length)
    throw new Error(`expected one snippet, found ${others.length + (code ? 1 : 0)}`);
  return code;
}

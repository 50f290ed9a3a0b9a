/** Every page in every language, wide and narrow, light and dark. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

import { views } from "./views.ts";

const locales = ["en", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "tr", "zh"];
const widths = [1280, 320];
const schemes = ["light", "dark"] as const;
/** In the dark nothing but colours is another. */
const rules = {
  light: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
  dark: { type: "rule", values: ["color-contrast", "link-in-text-block"] },
};

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page: Page, scheme: (typeof schemes)[number]): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const results = (await page.evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(rules[scheme])}, resultTypes: ["violations"] })`,
  )) as AxeResults;
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  );
}

/** What moved while the page came up, in the browser's own measure. */
async function layoutShift(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const shifts: number[] = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifts.push((entry as PerformanceEntry & { value: number }).value);
    }).observe({ type: "layout-shift", buffered: true });
    for (let frames = 0; frames < 2; frames++) await new Promise((resolve) => requestAnimationFrame(resolve));
    return shifts.reduce((sum, value) => sum + value, 0);
  });
}

for (const view of await views()) {
  describe(view.name, () => {
    const { page } = view.visitor;
    for (const locale of locales) {
      it(locale, async () => {
        const faults: string[] = [];
        for (const width of widths) {
          await page.setViewportSize({ width, height: 860 });
          await page.emulateMedia({ colorScheme: "light" });
          const separator = view.path.includes("?") ? "&" : "?";
          await view.visitor.open(`${view.path}${separator}lang=${locale}`, view.status);
          assert.equal(await page.getAttribute("html", "lang"), locale);
          if (view.act) {
            await view.act();
          } else {
            await page.waitForFunction(() => !document.querySelector("[data-passkey]:not(.can, .cannot)"));
            const shift = await layoutShift(page);
            if (shift > 0.001) faults.push(`${width}: the layout shifted by ${shift}`);
          }
          assert.equal(await page.getAttribute("html", "lang"), locale);
          for (const colorScheme of schemes) {
            await page.emulateMedia({ colorScheme });
            await page.evaluate(() => {
              // Buttons fade from one colour to the other; what counts is where they arrive.
              for (const fading of document.getAnimations()) fading.finish();
            });
            const found = await violations(page, colorScheme);
            faults.push(...found.map((each) => `${width} ${colorScheme}: ${each}`));
          }
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          if (wide > width) faults.push(`${wide} wide in a window of ${width}`);
        }
        // Chromium says so itself when the answer to a form or a page is an error.
        const complaints = view.visitor.takeComplaints().filter((each) => !/status of 4\d\d/.test(each));
        assert.deepEqual([...faults, ...complaints], []);
      });
    }
  });
}

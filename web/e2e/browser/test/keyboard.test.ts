/** Every page by the keyboard alone: each control is reached, and one sees where one is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Page } from "playwright-core";

import { issuer, newApp, redeem, start, ann, Visitor } from "./stage.ts";
import { views } from "./views.ts";

/** Marks every control that somebody with a mouse could use, and names them. */
function controls(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const all = document.querySelectorAll<HTMLElement>("a[href], button, input, select, textarea, summary, [tabindex='0']");
    const usable = [...all].filter((each) => each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true }));
    return usable.map((each, index) => (each.dataset.control = `${index} ${each.outerHTML.slice(0, 90)}`));
  });
}

interface Focus {
  control: string | undefined;
  /** The focus is drawn, and inside the window. */
  isSeen: boolean;
}

function focus(page: Page): Promise<Focus> {
  return page.evaluate(() => {
    const element = document.activeElement as HTMLElement | null;
    if (!element || element === document.body) return { control: undefined, isSeen: true };
    const style = getComputedStyle(element);
    const outlined = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2;
    const { top, bottom, left, right } = element.getBoundingClientRect();
    const inside = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
    const [x, y] = [(left + right) / 2, (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
    const above = document.elementFromPoint(x, y);
    const uncovered = above !== null && (element.contains(above) || above.contains(element));
    return { control: element.dataset.control, isSeen: outlined && inside && uncovered };
  });
}

for (const view of await views()) {
  describe(view.name, () => {
    for (const width of [1280, 320]) {
      it(`by Tab at ${width}`, async () => {
        const { page } = view.visitor;
        await page.setViewportSize({ width, height: 700 });
        await view.visitor.open(view.path, view.status);
        await view.act?.();
        await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
        // From the top, wherever the page had put the focus.
        await page.evaluate(() => {
          getSelection()?.removeAllRanges();
          document.body.tabIndex = -1;
          document.body.focus();
          document.body.removeAttribute("tabindex");
        });
        const all = await controls(page);
        assert.ok(all.length, "the way to the content is one");
        const [reached, unseen]: [string[], string[]] = [[], []];
        for (let press = 0; press < all.length + 2; press++) {
          await page.keyboard.press("Tab");
          const { control, isSeen } = await focus(page);
          if (!control || reached.includes(control)) break;
          reached.push(control);
          if (!isSeen) unseen.push(control);
        }
        assert.deepEqual({ unreached: all.filter((each) => !reached.includes(each)), unseen }, { unreached: [], unseen: [] });
        assert.deepEqual(reached, all, "the order of Tab is the order of the page");
        view.visitor.takeComplaints();
      });
    }
  });
}

describe("the whole way", () => {
  it("is gone without a mouse", async () => {
    await using visitor = await Visitor.arrive();
    const { page } = visitor;
    const app = await newApp();
    const started = start(app);
    await visitor.open(started.url);
    // The field is focused when the page comes.
    await page.keyboard.type(ann.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(ann.password);
    await page.keyboard.press("Enter");
    await page.waitForSelector("button[value=allow]");
    await page.focus("button[value=allow]");
    await page.keyboard.press("Enter");
    assert.equal((await redeem(app, started, await visitor.callback())).sub, ann.id);
  });

  it("skips to the content", async () => {
    await using visitor = await Visitor.arrive();
    await visitor.open("/reset");
    await visitor.page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await visitor.page.focus("a.skip");
    await visitor.page.keyboard.press("Enter");
    assert.equal(visitor.page.url(), `${issuer}/reset#content`);
    assert.equal(await visitor.page.evaluate(() => document.activeElement?.id), "content");
  });
});

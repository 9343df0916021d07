import { readFileSync } from "node:fs";
import type axe from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { chromiumPages, type Look } from "./chromium";

const open = chromiumPages();
const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SCENES = [
  "lobby-first",
  "lobby-long",
  "lobby-away",
  "prejoin-new",
  "prejoin-failed",
  "prejoin-no-model",
  "prejoin-muted",
  "room-trouble",
  "room-alone",
  "room-screens",
  "room-poor",
  "room-crowd",
  "room-sharing",
  "lobby-link",
  "room-full",
  "room-not-open",
  "room-passcode",
  "room-long-id",
  "stopped",
  "ended-full",
  "not-started",
];
const LOOKS: Look[] = [
  { width: 1200, height: 760, scheme: "light" },
  { width: 800, height: 600, scheme: "dark" },
];

/** What axe finds wrong: names, roles, contrast, structure. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const results = await page.evaluate(async () => {
    const { axe: run } = globalThis as typeof globalThis & { axe: typeof axe };
    return run.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
  });
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary ?? ""}`),
  );
}

/** Whatever is wider than the window is cut off for someone. */
const overflow = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("main, .room, form, header")]
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => one.outerHTML.slice(0, 120)),
  );

describe.each(LOOKS)("at $width by $height in the $scheme", (look) => {
  it.each(SCENES)("%s is accessible and fits", async (scene) => {
    const page = await open(scene, look);
    await page.locator("main").waitFor();
    expect(await faults(page)).toEqual([]);
    expect(await overflow(page)).toEqual([]);
  });

  it("so are the chat and the list of people", async () => {
    const page = await open("room", look);
    for (const name of ["Chat", "People", "Connection"]) {
      await page.getByRole("button", { name }).first().click();
      await page.getByRole("complementary", { name }).waitFor();
      expect(await faults(page)).toEqual([]);
      expect(await overflow(page)).toEqual([]);
    }
  });

  it("so are the dialogs", async () => {
    const page = await open("lobby-shared", look);
    for (const name of ["New room", "Server: Hosted on this computer"]) {
      await page.getByRole("button", { name }).click();
      await page.getByRole("dialog").waitFor();
      expect(await faults(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    }
  });

  it("so are the room's dialogs and what a person's row opens", async () => {
    const page = await open("room", look);
    for (const name of ["Settings", "Leave"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await page.getByRole("dialog").waitFor();
      expect(await faults(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    }
    await page.getByRole("button", { name: /^People/ }).click();
    await page.getByRole("button", { name: "Options for Anna Lindqvist" }).click();
    await page.getByRole("slider", { name: "Volume" }).waitFor();
    expect(await faults(page)).toEqual([]);
    expect(await overflow(page)).toEqual([]);
  });
});

import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { chromiumPages } from "./chromium";

const open = chromiumPages();
const tile = (page: Page, name: string) => page.getByRole("group", { name, exact: true });
const width = async (page: Page, name: string) => (await tile(page, name).boundingBox())?.width ?? 0;

interface Asked {
  source: string;
  width: number;
  hidden?: boolean;
}
/** What the page asks the shell for. */
const asked = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { askedTiles?: Asked[] }).askedTiles ?? []);
const hidden = async (page: Page) =>
  (await asked(page)).filter((one) => one.hidden).map(({ source }) => source);

it("Two people see each other large, the own picture within", async () => {
  const page = await open("room-two");
  await tile(page, "Mira (you)").waitFor();
  const [anna, mira] = await Promise.all(
    ["Anna Lindqvist", "Mira (you)"].map((name) => tile(page, name).boundingBox()),
  );
  if (!anna || !mira) throw new Error("a tile has no box");
  expect(anna.width).toBeGreaterThan(1_000);
  expect(mira.width).toBeLessThan(300);
  expect(mira.x > anna.x && mira.x + mira.width < anna.x + anna.width).toBe(true);
  expect(mira.y > anna.y && mira.y + mira.height < anna.y + anna.height).toBe(true);
});

it("More than sixteen stand on pages, and nobody sends what is on another page", async () => {
  const page = await open("room-crowd");
  await page.getByText("Page 1 of 2").waitFor();
  await tile(page, "Guest 16").waitFor();
  expect(await tile(page, "Guest 17").count()).toBe(0);
  await expect
    .poll(() => hidden(page))
    .toEqual(["17", "18", "19", "20", "21", "22"].map((n) => `Guest ${n}`));
  await page.getByRole("button", { name: "Next page" }).click();
  await tile(page, "Guest 17").waitFor();
  await expect.poll(async () => (await hidden(page)).length).toBe(16);
  expect(await page.getByRole("button", { name: "Next page" }).isDisabled()).toBe(true);
});

it("Who speaks is large in the view of the speaker, until someone is pinned", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: "Speaker view" }).click();
  await expect.poll(() => width(page, "Anna Lindqvist")).toBeGreaterThan(800);
  expect(await width(page, "Ben Okafor")).toBeLessThan(300);
  await page.getByRole("button", { name: "Pin Ben Okafor" }).focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => width(page, "Ben Okafor")).toBeGreaterThan(800);
  await page.getByRole("button", { name: "Unpin Ben Okafor" }).click();
  await expect.poll(() => width(page, "Anna Lindqvist")).toBeGreaterThan(800);
});

it("Audio only asks nobody for video, turns the own camera off, and both come back", async () => {
  const page = await open("room-screen");
  await tile(page, "Anna Lindqvist’s screen").waitFor();
  await page.getByRole("button", { name: "Connection", exact: true }).click();
  const audioOnly = page.getByRole("switch", { name: "Audio only" });
  await audioOnly.check();
  const camera = page.getByRole("button", { name: "Camera", exact: true });
  await expect.poll(() => camera.getAttribute("aria-pressed")).toBe("false");
  await expect
    .poll(async () => (await hidden(page)).sort())
    .toEqual(["Anna Lindqvist", "screen:Anna Lindqvist"]);
  expect((await asked(page)).every((one) => one.hidden)).toBe(true);
  expect(await tile(page, "Anna Lindqvist’s screen").count()).toBe(0);
  expect(await tile(page, "Anna Lindqvist").locator("canvas").count()).toBe(0);
  await audioOnly.uncheck();
  await expect.poll(() => camera.getAttribute("aria-pressed")).toBe("true");
  await tile(page, "Anna Lindqvist’s screen").waitFor();
  await expect.poll(() => hidden(page)).toEqual([]);
});

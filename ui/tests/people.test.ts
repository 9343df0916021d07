import { expect, it } from "vitest";
import { chromiumPages } from "./chromium";

const open = chromiumPages();

it("A participant's volume is set with the keyboard and stays when the list is closed", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: /^People/ }).waitFor();
  await page.keyboard.press("p");
  const more = page.getByRole("button", { name: "Options for Anna Lindqvist" });
  await more.focus();
  await page.keyboard.press("Enter");
  expect(await more.getAttribute("aria-expanded")).toBe("true");
  await page.keyboard.press("Tab");
  const volume = page.getByRole("slider", { name: "Volume" });
  expect(await volume.evaluate((element) => element === document.activeElement)).toBe(true);
  expect(await volume.getAttribute("aria-valuetext")).toBe("100 %");
  for (let press = 0; press < 6; press++) await page.keyboard.press("ArrowRight");
  await expect.poll(() => volume.getAttribute("aria-valuetext")).toBe("130 %");
  await page.keyboard.press("End");
  await expect.poll(() => volume.inputValue()).toBe("200");
  await page.keyboard.press("Home");
  await expect.poll(() => volume.getAttribute("aria-valuetext")).toBe("Silent");

  await page.keyboard.press("Escape");
  await page.keyboard.press("p");
  await more.click();
  await expect.poll(() => volume.inputValue()).toBe("0");
  expect(await page.getByRole("button", { name: "Options for Mira (you)" }).count()).toBe(0);
});

it("S2-49 A weak connection is said on its tile, and its cause and figures in the panel", async () => {
  const page = await open("room-poor");
  const tile = (name: string) => page.getByRole("group", { name, exact: true });
  await tile("Anna Lindqvist").getByText("Weak connection").waitFor();
  await tile("Mira (you)").getByText("Others receive you badly").waitFor();
  await tile("Ben Okafor").getByText("Too much for this computer").waitFor();

  const opener = page.getByRole("button", { name: "Connection, Others receive you badly" });
  await opener.click();
  const panel = page.getByRole("complementary", { name: "Connection" });
  await panel.getByText("The others receive you badly: your connection carries too little.").waitFor();
  const anna = panel.getByRole("region", { name: "Anna Lindqvist" });
  await anna.getByText("much of what they send is lost").waitFor();
  await anna.getByText("Anna Lindqvist receives you badly: 8 % lost on their side.").waitFor();
  await anna.getByText("1280 × 720").waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => opener.evaluate((element) => element === document.activeElement)).toBe(true);
});

it("A good connection says nothing on tiles", async () => {
  const page = await open("room");
  await page.getByRole("group", { name: "Anna Lindqvist", exact: true }).waitFor();
  await page.getByRole("button", { name: "Connection", exact: true }).waitFor();
  expect(await page.getByText("Weak connection").count()).toBe(0);
});

it("Changing figures draw nothing of the stage again", async () => {
  const page = await open("room-poor");
  await page.getByRole("button", { name: /^Connection/ }).click();
  const anna = page.getByRole("complementary").getByRole("region", { name: "Anna Lindqvist" });
  await anna.getByText("Round trip").waitFor();
  await page.evaluate(() => {
    const counts = { stage: 0, panel: 0 };
    Object.assign(globalThis, { counts });
    const observe = (selector: string, count: () => void) => {
      const found = document.querySelector(selector);
      if (!found) throw new Error(selector);
      const all = { subtree: true, childList: true, attributes: true, characterData: true };
      // Sizes of canvases follow their pictures.
      new MutationObserver((changes) => {
        if (changes.some(({ target }) => !(target instanceof HTMLCanvasElement))) count();
      }).observe(found, all);
    };
    observe(".stage", () => counts.stage++);
    observe("aside", () => counts.panel++);
  });
  const counts = () =>
    page.evaluate(() => (globalThis as unknown as { counts: { stage: number; panel: number } }).counts);
  await expect.poll(async () => (await counts()).panel).toBeGreaterThan(2);
  expect((await counts()).stage).toBe(0);
});

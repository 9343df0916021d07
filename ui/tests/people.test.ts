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

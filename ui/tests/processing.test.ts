import { expect, it } from "vitest";
import { chromiumPages } from "./chromium";

const open = chromiumPages();

it("Processing and background are set before the call and are the same in it", async () => {
  const page = await open("prejoin");
  await page.getByText("Sound and background").click();
  const noise = page.getByRole("switch", { name: "Noise suppression" });
  await expect.poll(() => noise.isChecked()).toBe(true);
  await noise.uncheck();
  await page.getByText("The others hear everything around you.").waitFor();
  const blur = page.getByRole("switch", { name: "Blur the background" });
  await blur.check();
  await page.getByText("It is being blurred…").waitFor();
  await page.getByText("Only you are seen sharply.").waitFor();

  await page.getByRole("button", { name: "Join now" }).click();
  await page.getByRole("button", { name: "Settings" }).click();
  expect(await noise.isChecked()).toBe(false);
  expect(await blur.isChecked()).toBe(true);
});

it("Without its model a background is said to be impossible, with what mends it", async () => {
  const page = await open("prejoin-no-model");
  await page.getByText("Sound and background").click();
  await page.getByText("cargo xtask models").waitFor();
  const blur = page.getByRole("switch", { name: "Blur the background" });
  await blur.uncheck();
  await expect.poll(() => blur.isDisabled()).toBe(true);
});

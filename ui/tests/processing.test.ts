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

it("The speaker test says on which side it plays, before the call and in it", async () => {
  const page = await open("prejoin");
  const test = page.getByRole("button", { name: "Test the speaker" });
  await test.click();
  await page.getByRole("status").getByText("Playing on the left").waitFor({ state: "attached" });
  await page.getByRole("status").getByText("Playing on the right").waitFor({ state: "attached" });
  await expect.poll(() => test.getAttribute("aria-busy")).toBe("false");
  await page.getByRole("button", { name: "Join now" }).click();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Test the speaker" }).click();
  await page.getByRole("status").getByText("Playing on the left").waitFor({ state: "attached" });
});

it("The default entry says which device it is", async () => {
  const page = await open("prejoin-default");
  const microphone = page.getByRole("combobox", { name: "Microphone" });
  await expect
    .poll(() => microphone.evaluate((list) => (list as HTMLSelectElement).selectedOptions[0]?.text))
    .toBe("Default: Desk microphone");
});

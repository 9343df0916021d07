import { expect, it } from "vitest";
import { chromiumPages } from "./chromium";

const open = chromiumPages();

it("500 long messages of one person leave the page small and at hand", async () => {
  const page = await open("room-flood");
  await page.getByRole("button", { name: /^Chat/ }).click();
  const log = page.getByRole("log", { name: "Messages" });
  await log.getByText(/499 All work/).waitFor();
  expect(await log.locator(".message").count()).toBeLessThanOrEqual(100);
  const spoken = page.getByRole("log", { name: "What happens in the room" });
  expect((await spoken.textContent())?.length).toBeLessThan(10_000);
  expect((await log.textContent())?.length).toBeLessThan(200_000);

  await log.getByRole("button", { name: "Show earlier messages" }).click();
  await expect.poll(() => log.locator(".message").count()).toBeGreaterThan(150);
  const last = log.locator(".message").last();
  await last.getByRole("button", { name: "Show all" }).click();
  await expect.poll(async () => (await last.textContent())?.length ?? 0).toBeGreaterThan(3_900);
  const microphone = page.getByRole("button", { name: "Microphone", exact: true });
  await microphone.click();
  await expect.poll(() => microphone.getAttribute("aria-pressed")).toBe("false");
});

it("What was being written is there again after the chat was closed", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: /^Chat/ }).click();
  const message = page.getByRole("textbox", { name: "Message everyone" });
  await message.fill("half a tho");
  await page.keyboard.press("Escape");
  await expect.poll(() => message.count()).toBe(0);
  await page.keyboard.press("c");
  await expect.poll(() => message.inputValue()).toBe("half a tho");
});

it("A text that is too long stays and is said, and is sent when it is shortened", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: /^Chat/ }).click();
  const message = page.getByRole("textbox", { name: "Message everyone" });
  await message.fill("x".repeat(33_000));
  await page.getByRole("alert").getByText("too long for one message").waitFor();
  await message.press("Enter");
  expect((await message.inputValue()).length).toBe(33_000);
  await message.fill("short enough");
  await message.press("Enter");
  await page.getByRole("log", { name: "Messages" }).getByText("short enough").waitFor();
});

it("The Enter that ends a composition sends nothing", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: /^Chat/ }).click();
  const message = page.getByRole("textbox", { name: "Message everyone" });
  await message.fill("かんじ");
  await message.evaluate((input) => {
    const enter = { key: "Enter", isComposing: true, bubbles: true, cancelable: true };
    input.dispatchEvent(new KeyboardEvent("keydown", enter));
  });
  expect(await message.inputValue()).toBe("かんじ");
  await message.press("Shift+Enter");
  expect(await message.inputValue()).toBe("かんじ\n");
  await message.press("Enter");
  await page.getByRole("log", { name: "Messages" }).getByText("かんじ").waitFor();
});

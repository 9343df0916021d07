// What the page says must be so, whatever others write and whatever fails.

import { expect, it } from "vitest";
import { chromiumPages } from "./chromium";

const open = chromiumPages();

it("A link to an unknown server is followed when the user agrees, and only then", async () => {
  const page = await open("lobby");
  const link = "visavis://room/abc-defg-hij?server=ws%3A%2F%2Frooms.example.com";
  await page.getByRole("textbox", { name: "Room id or link" }).fill(link);
  await page.keyboard.press("Enter");
  const question = page.getByRole("dialog", { name: "Open a room on another server?" });
  await question.getByText("rooms.example.com").waitFor();
  await question.getByText("is not encrypted").waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => question.count()).toBe(0);
  await page.getByRole("textbox", { name: "Room id or link" }).press("Enter");
  await question.getByRole("button", { name: "Go to this server" }).click();
  await page.getByRole("heading", { name: "Design review" }).waitFor();
});

it("Settings that cannot be saved are reported", async () => {
  const page = await open("lobby-unsaved");
  await page.getByRole("alert").getByText("Read-only file system").waitFor();
});

it("The default entry of a picker names its device", async () => {
  const page = await open("prejoin-default");
  const options = page.getByRole("combobox", { name: "Microphone" }).locator("option");
  await expect.poll(() => options.first().textContent()).toBe("Default: Desk microphone");
});

it("A microphone that gives silence is not promised to be heard", async () => {
  const page = await open("prejoin-silent");
  await page.getByText("Speak to check that you can be heard").waitFor();
  expect(await page.getByText("You can be seen and heard").count()).toBe(0);
});

it("Names cannot pose as the user, hide, or turn the text around them", async () => {
  const page = await open("room-names");
  await page.getByRole("group", { name: "Mira", exact: true }).waitFor();
  expect(await page.getByRole("group", { name: "Mira (you)", exact: true }).count()).toBe(1);
  await page.getByRole("group", { name: "gro.live Bob", exact: true }).waitFor();
  await page.getByRole("group", { name: "Guest", exact: true }).waitFor();
  await page.getByRole("group", { name: "محمد علي", exact: true }).waitFor();
});

it("A mute by the host is reported with the host's name", async () => {
  const page = await open("room-muted");
  const notice = page.getByRole("alert").filter({ hasText: "Anna Lindqvist muted your microphone." });
  await notice.getByRole("button", { name: "Dismiss" }).click();
  await expect.poll(() => notice.count()).toBe(0);
  // The focus is in the room, not lost.
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
});

it.each([
  ["ended-removed", "You were removed"],
  ["ended-by-host", "The host ended the meeting"],
])("The end of %s is reported with its reason", async (scene, title) => {
  const page = await open(scene);
  await page.getByRole("heading", { name: title }).waitFor();
});

it("What a join waits for is said: queue, host, opening time and passcode", async () => {
  for (const [scene, words] of [
    ["room-full", "number 3 in the queue"],
    ["room-waiting", "Waiting for the host to let you in"],
    ["room-not-open", "The room is not open yet"],
  ] as const) {
    const page = await open(scene);
    await page.getByText(words).waitFor();
    await page.getByRole("button", { name: "Cancel" }).waitFor();
  }
  const page = await open("room-not-open");
  const countdown = page.getByRole("timer", { name: "Time until the room opens" });
  expect(await countdown.textContent()).toMatch(/^2[45]:\d\d$/);
  const asked = await open("room-passcode");
  await asked.getByRole("textbox", { name: "Passcode" }).fill("1234");
  await asked.keyboard.press("Enter");
  await asked.getByRole("button", { name: "Leave" }).waitFor();
});

it("Single keys do nothing once shortcuts are off", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("switch", { name: "Single-key shortcuts" }).uncheck();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  await page.keyboard.press("c");
  await page.keyboard.press("m");
  await page.getByRole("button", { name: "People, 4 in the room" }).click();
  await page.getByRole("complementary", { name: "People" }).waitFor();
  expect(await page.getByRole("complementary", { name: "Chat" }).count()).toBe(0);
  const microphone = page.getByRole("button", { name: "Microphone", exact: true });
  expect(await microphone.getAttribute("aria-pressed")).toBe("true");
});

it("A shell that has failed leaves no frozen window", async () => {
  const page = await open("stopped");
  await page.getByRole("heading", { name: "Visavis has stopped working" }).waitFor();
  await page.getByRole("button", { name: "Start again" }).waitFor();
});

it("A room that is hosted for this computer alone has no invitation to copy", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: /^People/ }).click();
  await page.getByRole("button", { name: "Copy invitation" }).click();
  await page.getByRole("alert").getByText("Only this computer can enter the room").waitFor();
  const letIn = page.getByRole("button", { name: "Let others on this network in" });
  await letIn.click();
  await letIn.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Copy invitation" }).click();
  await page.getByRole("status").getByText("Copied").waitFor({ state: "attached" });
});

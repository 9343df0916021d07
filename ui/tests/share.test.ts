import { expect, it } from "vitest";
import { chromiumPages } from "./chromium";

const open = chromiumPages();

it("S2-24 A window is chosen, shared, said to be shared and stopped", async () => {
  const page = await open("room");
  const button = page.getByRole("button", { name: "Share screen", exact: true });
  await button.waitFor();
  expect(await button.getAttribute("aria-pressed")).toBe("false");
  await page.keyboard.press("s");
  const picker = page.getByRole("dialog", { name: "Share your screen" });
  await picker.getByRole("list", { name: "Screens" }).getByText("HDMI-1").waitFor();
  await picker.getByRole("button", { name: "Quarterly numbers" }).click();
  await expect.poll(() => picker.count()).toBe(0);

  const bar = page.getByRole("region", { name: "Your shared screen" });
  await bar.getByText("You are sharing “Quarterly numbers — Slides”").waitFor();
  await expect.poll(() => button.getAttribute("aria-pressed")).toBe("true");
  await bar.getByRole("button", { name: "Stop sharing" }).click();
  await expect.poll(() => bar.count()).toBe(0);
  await expect.poll(() => button.getAttribute("aria-pressed")).toBe("false");
});

it("A window that was closed meanwhile is said in the picker, which stays", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: "Share screen", exact: true }).click();
  await page.getByRole("button", { name: "Window without a title" }).click();
  await page.getByRole("alert").getByText("That is not there any longer").waitFor();
  await page.getByRole("dialog", { name: "Share your screen" }).waitFor();
});

it("Where nothing can be shared the picker says why", async () => {
  const page = await open("room-no-sharing");
  await page.getByRole("button", { name: "Share screen", exact: true }).click();
  await page.getByRole("alert").getByText("Nothing can be shared here: this is a Wayland session.").waitFor();
});

it("A shared window that closes is said and noted", async () => {
  const page = await open("room-share-closed");
  const notice = page.getByRole("alert").filter({ hasText: "The shared window was closed" });
  await notice.getByRole("button", { name: "Dismiss" }).click();
  await expect.poll(() => notice.count()).toBe(0);
});

it("Shared screens are large, each can be enlarged, and everyone stays in the strip", async () => {
  const page = await open("room-screens");
  const width = async (name: string) =>
    (await page.getByRole("group", { name, exact: true }).boundingBox())?.width ?? 0;
  await page.getByRole("group", { name: "Ben Okafor’s screen" }).waitFor();
  expect(await width("Ben Okafor’s screen")).toBeGreaterThan(1.5 * (await width("Ben Okafor")));
  await page.getByRole("button", { name: "Enlarge Ben Okafor’s screen" }).click();
  await expect.poll(() => width("Ben Okafor’s screen")).toBeGreaterThan(700);
  expect(await width("Anna Lindqvist’s screen")).toBeLessThan(400);
  expect(await width("Goran Ilić")).toBeGreaterThan(80);
  await page.getByRole("button", { name: "Show all shared screens" }).click();
  await expect
    .poll(async () => (await width("Ben Okafor’s screen")) - (await width("Anna Lindqvist’s screen")))
    .toBe(0);
});

it("Keys that are typed into the picker's dialog do not reach the room", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: "Chat, 3 unread messages" }).click();
  await page.getByRole("complementary", { name: "Chat" }).waitFor();
  await page.getByRole("button", { name: "Share screen", exact: true }).click();
  await page.getByRole("dialog").getByText("HDMI-1").waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  expect(await page.getByRole("complementary", { name: "Chat" }).count()).toBe(1);
});

it("S2-52 A viewer has no controls for what they may not send", async () => {
  const page = await open("room-viewer");
  await page.getByRole("button", { name: "Leave" }).waitFor();
  for (const name of ["Microphone", "Camera", "Share screen"]) {
    expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
  }
  await page.keyboard.press("s");
  await page.keyboard.press("m");
  await page.keyboard.press("p");
  await page.getByRole("complementary", { name: "People" }).waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
});

it("S2-52 A participant has controls for what they are granted, and no others", async () => {
  const page = await open("room-listener");
  await page.getByRole("button", { name: "Microphone", exact: true }).waitFor();
  for (const name of ["Camera", "Share screen"]) {
    expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
  }
  await page.keyboard.press("s");
  await page.keyboard.press("v");
  await page.keyboard.press("p");
  await page.getByRole("complementary", { name: "People" }).waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
});

it("A grant that is taken ends the share with a sentence, and takes the control away", async () => {
  const page = await open("room-revoked");
  await page.getByText("You are sharing “Quarterly numbers — Slides”").waitFor();
  await page.getByRole("alert").getByText("You may no longer share your screen here.").waitFor();
  expect(await page.getByText("You are sharing").count()).toBe(0);
  expect(await page.getByRole("button", { name: "Share screen", exact: true }).count()).toBe(0);
  await page.getByRole("button", { name: "Microphone", exact: true }).waitFor();
});

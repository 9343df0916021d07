import { expect, it } from "vitest";
import type { Page } from "playwright-core";
import { chromiumPages } from "./chromium";

const open = chromiumPages();

/** Presses Tab until the button has the focus, as someone without a mouse does. */
async function tabTo(page: Page, name: string): Promise<void> {
  const target = page.getByRole("button", { name, exact: true });
  await target.waitFor();
  for (let presses = 0; presses < 30; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${name} was not reached by Tab`);
}

/** A picture of what a tile shows, as the page's user sees it. */
const tilePicture = (page: Page, name: string) => page.getByRole("group", { name, exact: true }).screenshot();

it("A call from the lobby to its end needs no mouse", async () => {
  const page = await open("lobby");
  await page.getByRole("textbox", { name: "Room id or link" }).waitFor();
  await page.keyboard.type("mnopqrstuv");
  await expect.poll(() => page.getByRole("textbox").inputValue()).toBe("mno-pqrs-tuv");
  await page.keyboard.press("Enter");

  await page.getByRole("heading", { name: "Oma & Opa" }).waitFor();
  await page.getByText("Anna Lindqvist, Ben Okafor and Chen Wei are inside").waitFor();
  await tabTo(page, "Join now");
  await page.keyboard.press("Enter");

  await page.getByRole("group", { name: "Anna Lindqvist", exact: true }).waitFor();
  const microphone = page.getByRole("button", { name: "Microphone", exact: true });
  expect(await microphone.getAttribute("aria-pressed")).toBe("true");
  await page.keyboard.press("m");
  await expect.poll(() => microphone.getAttribute("aria-pressed")).toBe("false");
  await page.getByRole("log", { name: "What happens in the room" }).getByText("You are muted").waitFor({
    state: "attached",
  });

  await page.keyboard.press("c");
  const message = page.getByRole("textbox", { name: "Message everyone" });
  await expect.poll(() => message.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.type("mvcp are letters here");
  await page.keyboard.press("Enter");
  await page.getByRole("log", { name: "Messages" }).getByText("mvcp are letters here").waitFor();
  await page.getByRole("log", { name: "Messages" }).getByText("So do I.").waitFor();
  await page.keyboard.press("Escape");
  const chat = page.getByRole("button", { name: "Chat", exact: true });
  await expect.poll(() => chat.getAttribute("aria-pressed")).toBe("false");
  await expect.poll(() => chat.evaluate((element) => element === document.activeElement)).toBe(true);

  await tabTo(page, "Leave");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Leave the call?" }).waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  await page.keyboard.press("Enter");
  await page.getByText("Anna Lindqvist becomes host when you leave.").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("Leaving…").waitFor();
  await page.getByRole("heading", { name: "You left" }).waitFor();
  await tabTo(page, "Back to lobby");
  await page.keyboard.press("Enter");
  await page.getByRole("textbox", { name: "Room id or link" }).waitFor();
});

it("Pictures move in their tiles, and an avatar stands where there is none", async () => {
  const page = await open("room");
  const canvas = page.getByRole("group", { name: "Anna Lindqvist" }).locator("canvas");
  await canvas.waitFor({ state: "visible" });
  const first = await tilePicture(page, "Anna Lindqvist");
  await expect.poll(async () => (await tilePicture(page, "Anna Lindqvist")).equals(first)).toBe(false);

  const chen = page.getByRole("group", { name: "Chen Wei" });
  expect(await chen.getByText("CW").isVisible()).toBe(true);
  expect(await chen.locator("canvas").count()).toBe(0);
});

it("S2-49 A tile says who is muted", async () => {
  const page = await open("room");
  const muted = page.getByRole("group", { name: "Ben Okafor" }).getByText("muted", { exact: true });
  await muted.waitFor({ state: "attached" });
  expect(await page.getByRole("group", { name: "Anna Lindqvist" }).getByText("muted").count()).toBe(0);
});

it("What cannot be a room is said under the id, and the next key takes it back", async () => {
  const page = await open("lobby");
  await page.getByRole("textbox").fill("nonsense!");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("neither a room's id nor a link").waitFor();
  await page.keyboard.press("Backspace");
  await expect.poll(() => page.getByRole("alert").count()).toBe(0);

  await page.getByRole("textbox").fill("non-eeee-non");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("There is no such room").waitFor();
});

it("A new room is made from its dialog, whose Escape gives the focus back", async () => {
  const page = await open("lobby");
  await page.getByRole("button", { name: "New room" }).click();
  await page.getByRole("dialog", { name: "New room" }).waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  const opener = page.getByRole("button", { name: "New room" });
  await expect.poll(() => opener.evaluate((element) => element === document.activeElement)).toBe(true);

  await opener.click();
  await page.getByRole("textbox", { name: "Name of the room" }).fill("Book club");
  await page.getByRole("switch", { name: "Private" }).check();
  await page.getByRole("button", { name: "Continue" }).last().click();
  await page.getByRole("heading", { name: "Book club" }).waitFor();
});

it("The server is chosen, shared and said to be away", async () => {
  const page = await open("lobby");
  await page.getByRole("button", { name: "Server: Hosted on this computer" }).click();
  await page.getByRole("switch", { name: "Let others on this network in" }).check();
  await page.getByText("ws://192.0.2.17:7420").waitFor();

  await page.getByRole("radio", { name: "Another server" }).check();
  await page.getByRole("textbox", { name: "Server address" }).fill("nowhere");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByRole("alert").getByText("That is no server's address").waitFor();
  await page.getByRole("textbox", { name: "Server address" }).fill("wss://away.example.org");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByRole("dialog").getByText("It does not answer.").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Server: away.example.org" }).waitFor();
});

it("Devices that fail are explained and keep nobody out", async () => {
  const page = await open("prejoin-failed");
  await page.getByText("The camera is in use").waitFor();
  await page.getByText("No microphone found").first().waitFor();
  await page.getByRole("button", { name: "Join to watch and listen" }).click();
  await page.getByRole("button", { name: "Leave" }).waitFor();
});

it("One who is alone is given the id to share", async () => {
  const page = await open("room-alone");
  await page.getByRole("heading", { name: "You are alone here" }).waitFor();
  // Only this computer can enter: a link would lead nowhere.
  expect(await page.getByRole("button", { name: "Copy invitation" }).count()).toBe(0);
  const letIn = page.getByRole("button", { name: "Let others on this network in" });
  await letIn.click();
  await letIn.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Copy invitation" }).click();
  await page.getByRole("status").getByText("Copied").waitFor({ state: "attached" });
});

it("Unread messages are counted until the chat is opened", async () => {
  const page = await open("room");
  await page.getByRole("button", { name: "Chat, 3 unread messages" }).click();
  await page.getByRole("link", { name: "https://files.example.org/draft-2" }).waitFor();
  await page.getByRole("button", { name: "Close chat" }).click();
  await page.getByRole("button", { name: "Chat", exact: true }).waitFor();
});

it("A device that goes away in a call is said, and can be taken note of", async () => {
  const page = await open("room-unplugged");
  const notice = page.getByRole("alert").filter({ hasText: "The camera went away" });
  await notice.getByText("The others will not see you.").waitFor();
  await page.getByRole("alert").filter({ hasText: "Using the default speaker instead." }).waitFor();
  await notice.getByRole("button", { name: "Dismiss" }).click();
  await expect.poll(() => page.getByRole("alert").count()).toBe(1);
  expect(await notice.count()).toBe(0);
});

it("An id of another kind keeps its own form while it is typed", async () => {
  const page = await open("lobby");
  await page.getByRole("textbox").waitFor();
  await page.keyboard.type("standup-1");
  await expect.poll(() => page.getByRole("textbox").inputValue()).toBe("standup-1");
});

it("Leaving a demonstration asks nothing: its guests leave, too", async () => {
  const page = await open("prejoin-demo");
  await page.getByRole("button", { name: "Join now" }).click();
  await page.getByRole("group", { name: "Mira (you)" }).waitFor();
  await page.getByRole("button", { name: "Leave", exact: true }).click();
  await page.getByRole("heading", { name: "You left" }).waitFor();
});

it("S2-47 Before joining there are pickers, a level, a name and a button to join", async () => {
  const page = await open("prejoin");
  for (const name of ["Camera", "Microphone", "Speaker"]) {
    const picker = page.getByRole("combobox", { name, exact: true });
    await picker.waitFor();
    expect(await picker.locator("option").count()).toBeGreaterThan(1);
  }
  const level = page.getByRole("meter", { name: "Microphone level" });
  await expect.poll(async () => Number(await level.getAttribute("aria-valuenow"))).toBeGreaterThan(-60);
  await page.getByRole("textbox", { name: "Your name" }).fill("Mira");
  await page.getByRole("button", { name: "Join now" }).click();
  await page.getByRole("group", { name: "Mira (you)" }).waitFor();
});

it("S2-50 The control bar switches camera, microphone and screen, and says their state", async () => {
  const page = await open("room");
  for (const [name, key] of [
    ["Microphone", "m"],
    ["Camera", "v"],
  ] as const) {
    const button = page.getByRole("button", { name, exact: true });
    await button.waitFor();
    for (const pressed of ["false", "true"]) {
      await page.keyboard.press(key);
      await expect.poll(() => button.getAttribute("aria-pressed")).toBe(pressed);
    }
    await button.click();
    await expect.poll(() => button.getAttribute("aria-pressed")).toBe("false");
  }
  const share = page.getByRole("button", { name: "Share screen", exact: true });
  expect(await share.getAttribute("aria-pressed")).toBe("false");
  await share.click();
  await page.getByRole("dialog", { name: "Share your screen" }).waitFor();
});

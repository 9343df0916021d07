// The page in Debian's Chromium, with the fake shell behind it.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, afterEach, beforeAll } from "vitest";

/** Debian and Ubuntu name it differently. */
const PROGRAMS = ["chromium", "chromium-browser"];

function installedChromium(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders
    .flatMap((folder) => PROGRAMS.map((program) => join(folder, program)))
    .find(existsSync);
  if (!found) throw new Error(`none of ${PROGRAMS.join(", ")} is on the PATH`);
  return found;
}

export interface Look {
  width?: number;
  height?: number;
  scheme?: "light" | "dark";
}

/** A development server and a browser for all tests of a file. */
export function chromiumPages(): (scene: string, look?: Look) => Promise<Page> {
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  let address = "";

  beforeAll(async () => {
    server = await createServer({ server: { port: 0, strictPort: false, watch: null }, logLevel: "error" });
    await server.listen();
    address = server.resolvedUrls?.local[0] ?? "";
    browser = await chromium.launch({
      executablePath: installedChromium(),
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });
  // A page that is left open goes on drawing.
  afterEach(async () => {
    await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  return async (scene, { width = 1200, height = 760, scheme = "light" } = {}) => {
    if (!browser) throw new Error("the browser has not started");
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => {
      throw error;
    });
    await page.goto(`${address}?fake=${scene}`);
    return page;
  };
}

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { EndReason } from "../generated/EndReason";
import { CLOSINGS, commandWords, ENDINGS, endingWords, REFUSALS, REMOVALS } from "./errors";

/** The string literals of a generated union. */
function literals(type: string): string[] {
  const source = readFileSync(new URL(`../generated/${type}.ts`, import.meta.url), "utf8");
  const union = source.slice(source.indexOf("export type"));
  return [...union.matchAll(/(?:"kind": |[=|] )"([^"]+)"/g)].map((match) => match[1] as string);
}

describe("the words for errors", () => {
  it("S2-76 cover every error code", () => {
    expect(literals("ErrorCode").length).toBeGreaterThan(15);
    expect(Object.keys(REFUSALS).sort()).toEqual(literals("ErrorCode").sort());
  });

  it("S2-76 cover every end of a call", () => {
    const kinds = literals("EndReason");
    expect(kinds).toContain("left");
    expect([...Object.keys(ENDINGS), "refused", "removed", "roomClosed"].sort()).toEqual(kinds.sort());
    expect(Object.keys(CLOSINGS).sort()).toEqual(literals("ClosedReason").sort());
    expect(Object.keys(REMOVALS).sort()).toEqual(literals("RemovedReason").sort());
  });

  it("are titles and sentences, each its own", () => {
    const all = [...Object.values(REFUSALS), ...Object.values(ENDINGS)];
    for (const { title, sentence } of all) {
      expect(title).toMatch(/^[A-Z].*[^.]$/);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
    expect(new Set(all.map((words) => words.title)).size).toBe(all.length);
  });

  it("are found by the reason", () => {
    const full: EndReason = { kind: "refused", code: "room-full" };
    expect(endingWords(full)).toBe(REFUSALS["room-full"]);
    expect(endingWords({ kind: "left" })).toBe(ENDINGS.left);
    expect(endingWords({ kind: "removed", why: "removed-by-host" })).toBe(REMOVALS["removed-by-host"]);
    expect(endingWords({ kind: "roomClosed", why: "deleted" })).toBe(CLOSINGS.deleted);
    expect(commandWords(full as { kind: "refused"; code: "room-full" })).toBe(
      "The room is full. Try again when someone has left.",
    );
    expect(commandWords({ kind: "system", detail: "port in use" })).toBe("That did not work: port in use.");
  });
});

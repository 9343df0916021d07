import { describe, expect, it } from "vitest";
import { beginning, isTooLong, MAX_MESSAGE_BYTES, sends, SHORT } from "./draft";

const key = (rest: Partial<Parameters<typeof sends>[0]>) => ({
  isComposing: false,
  key: "Enter",
  keyCode: 13,
  shiftKey: false,
  ...rest,
});

describe("a message in the making", () => {
  it("is sent by Enter, not by the Enter that ends a composition", () => {
    expect(sends(key({}))).toBe(true);
    expect(sends(key({ isComposing: true }))).toBe(false);
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as WebKit marks it
    expect(sends(key({ keyCode: 229 }))).toBe(false);
    expect(sends(key({ shiftKey: true }))).toBe(false);
    expect(sends(key({ key: "a" }))).toBe(false);
  });

  it("is measured in bytes", () => {
    expect(isTooLong("a".repeat(MAX_MESSAGE_BYTES))).toBe(false);
    expect(isTooLong("a".repeat(MAX_MESSAGE_BYTES + 1))).toBe(true);
    expect(isTooLong("€".repeat(MAX_MESSAGE_BYTES / 3 + 1))).toBe(true);
  });

  it("is shortened when it is long", () => {
    expect(beginning("short\ntext")).toBeNull();
    expect(beginning("x".repeat(5_000))).toHaveLength(SHORT.characters);
    expect(beginning("x\n".repeat(40))?.split("\n")).toHaveLength(SHORT.lines);
  });
});

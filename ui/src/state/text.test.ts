import { describe, expect, it } from "vitest";
import {
  cleanName,
  clock,
  personName,
  colourOf,
  duration,
  initials,
  linkParts,
  typeRoomId,
  whenIn,
  whoIsInside,
} from "./text";

describe("a room's id", () => {
  const empty = { shown: "", typed: "" };
  const byKey = (text: string) =>
    Array.from(text).reduce((before, key) => typeRoomId(before, before.shown + key), empty);

  it.each([
    ["a", "a"],
    ["abc", "abc"],
    ["abcd", "abc-d"],
    ["ABCdefg", "abc-defg"],
    ["abcdefghij", "abc-defg-hij"],
    ["abc defg hij", "abc-defg-hij"],
    ["abc–defg–hij", "abc-defg-hij"],
    ["abc-", "abc"],
    ["abcdefghijk", "abcdefghijk"],
    ["visavis://room/abc-defg-hij?server=ws://x", "visavis://room/abc-defg-hij?server=ws://x"],
    ["0b1e6f2c-6b0f", "0b1e6f2c-6b0f"],
    ["fae16f2c-6b0f", "fae16f2c-6b0f"],
    ["standup-1", "standup-1"],
    ["", ""],
  ])("pasted as %j reads %j, and typed key by key too", (text, shown) => {
    expect(typeRoomId(empty, text).shown).toBe(shown);
    expect(byKey(text).shown).toBe(shown);
  });

  it("can be shortened again", () => {
    const whole = byKey("abcdefghij");
    expect(typeRoomId(whole, "abc-defg-hi").shown).toBe("abc-defg-hi");
    expect(typeRoomId(whole, "abc-defg-").shown).toBe("abc-defg");
    expect(typeRoomId(whole, "")).toEqual(empty);
  });
});

describe("people", () => {
  it.each([
    ["Anna Lindqvist", "AL"],
    ["ben", "B"],
    ["  Ada  King Lovelace ", "AL"],
    ["王 小明", "王小"],
    ["🙂 Smile", "🙂S"],
    ["", "?"],
  ])("%j have the initials %j", (name, want) => expect(initials(name)).toBe(want));

  it.each([
    ["\u202Enna\u202C", "nna"],
    ["A\u200Bn\u2060na\u00AD", "Anna"],
    ["  Anna\n\tLind  ", "Anna Lind"],
    ["محمد علي", "محمد علي"],
    ["👩‍💻 Ada", "👩‍💻 Ada"],
    ["Z\u0300\u0301\u0302\u0303\u0304alg", "Z\u0300\u0301alg"],
  ])("%j is shown as %j", (name, want) => expect(cleanName(name)).toBe(want));

  it("that show nothing are no names", () => {
    expect(personName("\u200B\u2060\u3164")).toBe("Guest");
  });

  it("keep their colour", () => {
    expect(colourOf("Anna", 6)).toBe(colourOf("Anna", 6));
    expect(colourOf("Anna", 6)).toBeLessThan(6);
  });

  it.each([
    [0, [], "Nobody is inside yet"],
    [1, [], "1 person is inside"],
    [3, [], "3 people are inside"],
    [1, ["Anna"], "Anna is inside"],
    [2, ["Anna", ""], "Anna and Guest are inside"],
    [3, ["Anna", "Ben", "Chen"], "Anna, Ben and Chen are inside"],
    [5, ["Anna", "Ben", "Chen", "Dora", "Eli"], "Anna, Ben and 3 others are inside"],
    [2, ["Anna"], "Anna and 1 other are inside"],
  ])("inside: %i of %j", (count, names, want) => expect(whoIsInside(count, names)).toBe(want));
});

describe("times", () => {
  it.each([
    [0, "0:00"],
    [768.9, "12:48"],
    [3723, "1:02:03"],
    [-1, "0:00"],
  ])("%f s on a clock is %s", (seconds, want) => expect(clock(seconds)).toBe(want));

  it.each([
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "1 minute"],
    [3600, "1 hour"],
    [7500, "2 hours 5 minutes"],
  ])("%i s is %s", (seconds, want) => expect(duration(seconds)).toBe(want));

  it("are near or far", () => {
    const at = (day: number, hour: number) => new Date(2026, 10, day, hour, 5).getTime();
    const now = at(20, 9);
    expect(whenIn(at(20, 8), now, "en-GB")).toBe("08:05");
    expect(whenIn(at(19, 1), now, "en-GB")).toBe("yesterday");
    expect(whenIn(at(18, 23), now, "en-GB")).toBe("18 Nov");
  });
});

describe("a message", () => {
  it("has its addresses as links and nothing else", () => {
    expect(linkParts("see https://a.example/x?y=(1). Or javascript:alert(1)")).toEqual([
      { text: "see ", href: null },
      { text: "https://a.example/x?y=(1", href: "https://a.example/x?y=(1" },
      { text: "). Or javascript:alert(1)", href: null },
    ]);
    expect(linkParts("plain")).toEqual([{ text: "plain", href: null }]);
    expect(linkParts("https://a.example")).toEqual([
      { text: "https://a.example", href: "https://a.example" },
    ]);
    expect(linkParts("")).toEqual([]);
  });
});

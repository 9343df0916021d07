import { describe, expect, it } from "vitest";
import type { Rect } from "./grid";
import { arrangeRoom, nextSpeaker, PAGE, type LayoutTile, type LayoutWishes } from "./room";

const GAP = 10;
const tile = (key: string): LayoutTile => ({
  key,
  isMe: key === "me",
  isScreen: key.startsWith("screen"),
});
const people = (count: number) => [...Array.from({ length: count - 1 }, (_, i) => tile(`p${i}`)), tile("me")];
const layout = (tiles: LayoutTile[], wishes: Partial<LayoutWishes> = {}, width = 1176, height = 620) =>
  arrangeRoom(tiles, { pinned: null, speaker: null, page: 0, ...wishes }, width, height, GAP);
const area = (rect: Rect | undefined) => (rect ? rect.width * rect.height : 0);
const within = (a: Rect, b: Rect) =>
  a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;

describe("the layout of a room", () => {
  it("is one to one for two: the own picture lies within the other's", () => {
    const { places, inset } = layout(people(2));
    const [other, me] = [places.get("p0"), places.get("me")];
    expect(inset).toBe("me");
    expect(other && me && within(me, other)).toBe(true);
    expect(area(me) * 8).toBeLessThan(area(other));
  });

  it("is a grid of equals from three on, and where there is no height for an inset", () => {
    const { places, inset } = layout(people(3));
    expect(inset).toBeNull();
    expect(new Set([...places.values()].map(area)).size).toBe(1);
    expect(layout(people(2), {}, 456, 120).inset).toBeNull();
  });

  it("has pages over sixteen, on which everyone stands once", () => {
    const tiles = people(35);
    const seen: string[] = [];
    for (let page = 0; page < 3; page++) {
      const found = layout(tiles, { page });
      expect([found.page, found.pages]).toEqual([page, 3]);
      expect(found.places.size).toBeLessThanOrEqual(PAGE);
      seen.push(...found.places.keys());
    }
    expect(seen.sort()).toEqual(tiles.map(({ key }) => key).sort());
    expect(layout(people(16)).pages).toBe(1);
  });

  it("shows the last page when people on a later one have left", () => {
    const { page, pages, places } = layout(people(17), { page: 4 });
    expect([page, pages, places.size]).toEqual([1, 2, 1]);
  });

  it("gives the speaker the stage and the others a strip", () => {
    const { places } = layout(people(5), { speaker: "p2" });
    const rest = [...places].filter(([key]) => key !== "p2").map(([, rect]) => area(rect));
    expect(places.size).toBe(5);
    expect(area(places.get("p2"))).toBeGreaterThan(4 * Math.max(...rest));
  });

  it("prefers a shared screen to the speaker, and what is pinned to both", () => {
    const tiles = [tile("screen p0"), ...people(4)];
    const largest = (wishes: Partial<LayoutWishes>) =>
      [...layout(tiles, wishes).places].reduce((a, b) => (area(b[1]) > area(a[1]) ? b : a))[0];
    expect(largest({ speaker: "p1" })).toBe("screen p0");
    expect(largest({ speaker: "p1", pinned: "p2" })).toBe("p2");
    expect(largest({ pinned: "gone" })).toBe("screen p0");
  });

  it("keeps the large tile on every page of the strip", () => {
    const tiles = people(40);
    for (let page = 0; page < 3; page++) {
      expect(layout(tiles, { pinned: "p0", page }).places.has("p0")).toBe(true);
    }
  });

  it("keeps every tile inside, whatever the window", () => {
    for (const [width, height] of [
      [456, 220],
      [776, 470],
      [3800, 2000],
    ] as const) {
      for (const count of [1, 2, 7, 20]) {
        for (const wishes of [{}, { speaker: "p0" }, { pinned: "me" }]) {
          for (const rect of layout(people(count), wishes, width, height).places.values()) {
            expect(within(rect, { x: 0, y: 0, width: width + 1, height: height + 1 })).toBe(true);
            expect(Math.min(rect.width, rect.height)).toBeGreaterThan(0);
          }
        }
      }
    }
  });
});

describe("the speaker", () => {
  const one = (key: string, speaking = false) => ({ key, speaking });

  it("stays until another speaks, and is someone from the start", () => {
    expect(nextSpeaker(null, [])).toBeNull();
    expect(nextSpeaker(null, [one("a"), one("b")])).toBe("a");
    expect(nextSpeaker("a", [one("a"), one("b", true)])).toBe("b");
    expect(nextSpeaker("b", [one("a"), one("b")])).toBe("b");
    expect(nextSpeaker("b", [one("a", true), one("b", true)])).toBe("b");
    expect(nextSpeaker("gone", [one("a"), one("b")])).toBe("a");
  });
});

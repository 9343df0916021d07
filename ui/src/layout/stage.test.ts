import { describe, expect, it } from "vitest";
import { arrange, type Rect } from "./grid";
import { arrangeStage } from "./stage";

const GAP = 10;
const area = (rects: Rect[]) => rects.reduce((sum, { width, height }) => sum + width * height, 0);

describe("the stage", () => {
  it("is a grid of people while nobody shares", () => {
    expect(arrangeStage(0, 4, 1176, 620, GAP)).toEqual({ large: [], strip: arrange(4, 1176, 620, GAP) });
  });

  it("gives a shared screen most of the place and everyone else a strip", () => {
    const { large, strip } = arrangeStage(1, 4, 1176, 620, GAP);
    expect(strip).toHaveLength(4);
    expect(area(large)).toBeGreaterThan(3 * area(strip));
    expect(Math.min(...strip.map(({ x }) => x))).toBeGreaterThan(large[0]?.width ?? Infinity);
  });

  it("puts the strip below where the stage is tall", () => {
    const { large, strip } = arrangeStage(1, 2, 480, 700, GAP);
    expect(Math.min(...strip.map(({ y }) => y))).toBeGreaterThan(large[0]?.height ?? Infinity);
  });

  it("keeps every tile inside and apart, whatever the window and the number of sharers", () => {
    for (const [width, height] of [
      [456, 250],
      [484, 472],
      [776, 470],
      [1176, 620],
      [3800, 2000],
    ] as const) {
      for (const shares of [1, 2, 3, 4]) {
        for (const people of [1, 2, 7, 15]) {
          const { large, strip } = arrangeStage(shares, people, width, height, GAP);
          const all = [...large, ...strip];
          expect(all).toHaveLength(shares + people);
          for (const [i, one] of all.entries()) {
            expect(one.width).toBeGreaterThan(0);
            expect(one.height).toBeGreaterThan(0);
            expect(one.x).toBeGreaterThanOrEqual(0);
            expect(one.y).toBeGreaterThanOrEqual(0);
            expect(one.x + one.width).toBeLessThanOrEqual(width + 1);
            expect(one.y + one.height).toBeLessThanOrEqual(height + 1);
            for (const other of all.slice(i + 1)) {
              const apart =
                one.x + one.width <= other.x ||
                other.x + other.width <= one.x ||
                one.y + one.height <= other.y ||
                other.y + other.height <= one.y;
              expect(apart, `${shares} ${people} ${width}x${height}`).toBe(true);
            }
          }
        }
      }
    }
  });
});

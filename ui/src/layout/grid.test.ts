import { describe, expect, it } from "vitest";
import { arrange, pictureBox, TALLEST, WIDEST, type Rect } from "./grid";

const GAP = 10;
const columns = (rects: Rect[]) => new Set(rects.map((rect) => rect.x)).size;
const rows = (rects: Rect[]) => new Set(rects.map((rect) => rect.y)).size;

describe("the grid", () => {
  it("places nothing where there is nobody", () => {
    expect(arrange(0, 800, 600, GAP)).toEqual([]);
  });

  it.each([
    { count: 1, width: 1176, height: 620, columns: 1, rows: 1 },
    { count: 2, width: 1176, height: 620, columns: 2, rows: 1 },
    { count: 2, width: 480, height: 470, columns: 1, rows: 2 },
    { count: 4, width: 836, height: 624, columns: 2, rows: 2 },
    { count: 6, width: 1176, height: 620, columns: 3, rows: 2 },
    { count: 9, width: 1176, height: 620, columns: 3, rows: 3 },
  ])("gives $count tiles in $width by $height $columns columns and $rows rows", (want) => {
    const rects = arrange(want.count, want.width, want.height, GAP);
    expect({ columns: columns(rects), rows: rows(rects) }).toEqual({
      columns: want.columns,
      rows: want.rows,
    });
  });

  it("keeps every tile inside, apart from the others and in shape, whatever the window", () => {
    for (const width of [300, 480, 776, 1176, 2560]) {
      for (const height of [200, 470, 620, 1400]) {
        for (let count = 1; count <= 25; count++) {
          const rects = arrange(count, width, height, GAP);
          expect(rects).toHaveLength(count);
          rects.forEach((a, i) => {
            const where = `${count} in ${width}x${height}`;
            expect(a.x, where).toBeGreaterThanOrEqual(0);
            expect(a.y, where).toBeGreaterThanOrEqual(0);
            expect(a.x + a.width, where).toBeLessThanOrEqual(width + 1);
            expect(a.y + a.height, where).toBeLessThanOrEqual(height + 1);
            expect(a.width, where).toBeLessThanOrEqual(a.height * WIDEST + 2);
            expect(a.width, where).toBeGreaterThanOrEqual(a.height * TALLEST - 2);
            for (const b of rects.slice(i + 1)) {
              const apart = b.x >= a.x + a.width || b.y >= a.y + a.height;
              expect(apart, where).toBe(true);
            }
          });
        }
      }
    }
  });

  it("centres the last row", () => {
    const last = arrange(3, 836, 624, GAP)[2];
    expect(last && last.x + last.width / 2).toBeCloseTo(418, -1);
  });
});

describe("a picture's box", () => {
  it.each([WIDEST, 1.5, TALLEST])("lets a picture of shape %f cover its tile", (shape) => {
    for (const [width, height] of [
      [400, 225],
      [400, 300],
      [583, 437],
    ] as const) {
      const box = pictureBox(width, height);
      const scale = Math.min(box.width / shape, box.height);
      expect(scale * shape).toBeGreaterThanOrEqual(width - 1);
      expect(scale).toBeGreaterThanOrEqual(height - 1);
    }
  });
});

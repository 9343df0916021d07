// Shared screens first: large, with everyone else in a strip beside or below them.
// Pure: sizes in, rectangles out.

import { arrange, WIDEST, type Rect } from "./grid";

/** What of the stage the strip takes, by how many stand in it. */
const STRIP = { few: 0.2, many: 0.28, least: 132, manyFrom: 6 };

export interface StagePlaces {
  large: Rect[];
  strip: Rect[];
}

/** Splits an area among shared screens, which are shown whole within their places. */
function fill(count: number, width: number, height: number, gap: number): Rect[] {
  const cells = Array.from({ length: count }, (_, i) => {
    const columns = i + 1;
    const rows = Math.ceil(count / columns);
    const cell = {
      width: Math.max(0, (width - gap * (columns - 1)) / columns),
      height: Math.max(0, (height - gap * (rows - 1)) / rows),
    };
    return { columns, ...cell, shown: Math.min(cell.width, cell.height * WIDEST) };
  });
  const best = cells.reduce((a, b) => (b.shown > a.shown ? b : a));
  return Array.from({ length: count }, (_, i) => ({
    x: Math.round((i % best.columns) * (best.width + gap)),
    y: Math.round(Math.floor(i / best.columns) * (best.height + gap)),
    width: Math.floor(best.width),
    height: Math.floor(best.height),
  }));
}

/**
 * Places `large` shared screens and `strip` other tiles in a stage. Nobody is left
 * out: tiles of the strip shrink until all of them fit. All lengths in CSS pixels.
 */
export function arrangeStage(
  large: number,
  strip: number,
  width: number,
  height: number,
  gap: number,
): StagePlaces {
  if (large === 0) return { large: [], strip: arrange(strip, width, height, gap) };
  if (strip === 0) return { large: fill(large, width, height, gap), strip: [] };
  const beside = width >= height * 1.2;
  const along = beside ? width : height;
  const part = strip >= STRIP.manyFrom ? STRIP.many : STRIP.few;
  const size = Math.min(Math.max(STRIP.least, Math.round(along * part)), Math.round(along / 2));
  const rest = Math.max(0, along - size - gap);
  const moved = (rect: Rect): Rect =>
    beside ? { ...rect, x: rect.x + rest + gap } : { ...rect, y: rect.y + rest + gap };
  return beside
    ? {
        large: fill(large, rest, height, gap),
        strip: arrange(strip, size, height, gap).map(moved),
      }
    : {
        large: fill(large, width, rest, gap),
        strip: arrange(strip, width, size, gap).map(moved),
      };
}

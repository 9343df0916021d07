// Where each tile of the stage stands. Pure: sizes in, rectangles out.

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The shapes that a tile may take: a picture is cut to fit, so not beyond. */
export const WIDEST = 16 / 9;
export const TALLEST = 4 / 3;

interface Cell {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

function cell(count: number, columns: number, width: number, height: number, gap: number): Cell {
  const rows = Math.ceil(count / columns);
  const room = {
    width: Math.max(0, (width - gap * (columns - 1)) / columns),
    height: Math.max(0, (height - gap * (rows - 1)) / rows),
  };
  return {
    columns,
    rows,
    width: Math.floor(Math.min(room.width, room.height * WIDEST)),
    height: Math.floor(Math.min(room.height, room.width / TALLEST)),
  };
}

/**
 * Places `count` tiles of one size in a stage, in reading order, as large as
 * they can be; the last row is centred. All lengths in CSS pixels.
 */
export function arrange(count: number, width: number, height: number, gap: number): Rect[] {
  if (count === 0) return [];
  const cells = Array.from({ length: count }, (_, i) => cell(count, i + 1, width, height, gap));
  const best = cells.reduce((a, b) => (b.width * b.height > a.width * a.height ? b : a));
  const top = (height - best.rows * best.height - gap * (best.rows - 1)) / 2;
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / best.columns);
    const inRow = Math.min(best.columns, count - row * best.columns);
    const left = (width - inRow * best.width - gap * (inRow - 1)) / 2;
    return {
      x: Math.round(left + (i % best.columns) * (best.width + gap)),
      y: Math.round(top + row * (best.height + gap)),
      width: best.width,
      height: best.height,
    };
  });
}

/**
 * The box to ask a picture in, so that it covers a tile of this size: pictures
 * come whole, between 4:3 and 16:9, and as large as the box lets them.
 */
export function pictureBox(width: number, height: number): { width: number; height: number } {
  return {
    width: Math.ceil(Math.max(width, height * WIDEST)),
    height: Math.ceil(Math.max(height, width / TALLEST)),
  };
}

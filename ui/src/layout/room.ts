// What of a room stands where: one to one, a grid in pages, the speaker or a pinned
// tile beside a strip, shared screens first. Pure: tiles and sizes in, places out.

import { arrange, type Rect } from "./grid";
import { arrangeStage } from "./stage";

/** More tiles than this stand on several pages. */
export const PAGE = 16;

/** The own picture within that of the only other: its share of the width, and bounds. */
const INSET = { part: 0.24, least: 96, most: 260, shape: 16 / 9 };
/** Below this height the inset would cover a face. */
const LEAST_HEIGHT = 140;

export interface LayoutTile {
  key: string;
  isMe: boolean;
  isScreen: boolean;
}

export interface LayoutWishes {
  /** The tile that is to be large. */
  pinned: string | null;
  /** The tile of the speaker, to be large; null where all are to be alike. */
  speaker: string | null;
  /** From 0; one that is not there is the last. */
  page: number;
}

export interface RoomLayout {
  places: Map<string, Rect>;
  /** Within another tile, and above it. */
  inset: string | null;
  page: number;
  pages: number;
}

function inset(stage: Rect): Rect {
  const width = Math.round(Math.min(INSET.most, Math.max(INSET.least, stage.width * INSET.part)));
  const height = Math.round(width / INSET.shape);
  const margin = 12;
  return { x: stage.x + stage.width - width - margin, y: stage.y + margin, width, height };
}

/** The large tiles: the pinned one, else shared screens, else the speaker. */
function largeKeys(tiles: readonly LayoutTile[], { pinned, speaker }: LayoutWishes): string[] {
  const has = (key: string | null): key is string => tiles.some((tile) => tile.key === key);
  if (has(pinned)) return [pinned];
  const screens = tiles.filter(({ isScreen }) => isScreen).map(({ key }) => key);
  if (screens.length > 0) return screens;
  return has(speaker) && tiles.length > 1 ? [speaker] : [];
}

/** Places the tiles of a room in a stage. All lengths in CSS pixels. */
export function arrangeRoom(
  tiles: readonly LayoutTile[],
  wishes: LayoutWishes,
  width: number,
  height: number,
  gap: number,
): RoomLayout {
  const large = largeKeys(tiles, wishes);
  const others = tiles.filter(({ key }) => !large.includes(key));
  const pages = Math.max(1, Math.ceil(others.length / PAGE));
  const page = Math.min(Math.max(0, wishes.page), pages - 1);
  const [first, second] = tiles;
  if (large.length === 0 && tiles.length === 2 && first && second?.isMe && height >= LEAST_HEIGHT) {
    const [stage] = arrange(1, width, height, gap);
    if (stage) {
      const places = new Map([
        [first.key, stage],
        [second.key, inset(stage)],
      ]);
      return { places, inset: second.key, page, pages };
    }
  }
  const shown = others.slice(page * PAGE, (page + 1) * PAGE);
  const found = arrangeStage(large.length, shown.length, width, height, gap);
  const pairs = [
    ...large.map((key, i) => [key, found.large[i]] as const),
    ...shown.map(({ key }, i) => [key, found.strip[i]] as const),
  ];
  const places = new Map(pairs.flatMap(([key, rect]) => (rect ? [[key, rect] as const] : [])));
  return { places, inset: null, page, pages };
}

/** Who is large in the view of the speaker: who spoke last, until another speaks. */
export function nextSpeaker(
  current: string | null,
  others: readonly { key: string; speaking: boolean }[],
): string | null {
  const now = others.find(({ key }) => key === current);
  if (now?.speaking) return now.key;
  const speaking = others.find((one) => one.speaking);
  return speaking?.key ?? now?.key ?? others[0]?.key ?? null;
}

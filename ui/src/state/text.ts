// Names, ids and times as people read them.

/** The longest an id of three, four and three letters is with its dashes. */
const FRIENDLY_LETTERS = 10;

/** A room's id in the making: as it is shown, and as it was typed without our dashes. */
export interface RoomIdText {
  shown: string;
  typed: string;
}

function withDashes(typed: string): string {
  if (!/^[a-z][a-z\s\u2010-\u2015-]*$/i.test(typed)) return typed;
  const letters = typed.replace(/[^a-z]/gi, "").toLowerCase();
  if (letters.length > FRIENDLY_LETTERS) return typed;
  return [letters.slice(0, 3), letters.slice(3, 7), letters.slice(7)].filter(Boolean).join("-");
}

/**
 * Dashes appear while a friendly id is typed, and go again when it turns out to
 * be an id of another kind or a link, which stay as they are.
 */
export function typeRoomId(before: RoomIdText, value: string): RoomIdText {
  const appended = value.startsWith(before.shown);
  const typed = appended ? before.typed + value.slice(before.shown.length) : value;
  return { shown: withDashes(typed), typed };
}

const graphemes = new Intl.Segmenter();

/** At most `most` letters for an avatar: of the first word and the last. */
export function initials(name: string, most: 1 | 2 = 2): string {
  const words = cleanName(name).split(/\s+/).filter(Boolean);
  const chosen = words.length > most ? [words[0] ?? "", words.at(-1) ?? ""].slice(0, most) : words;
  const letters = chosen.map((word) => graphemes.segment(word).containing(0)?.segment ?? "");
  return letters.join("").toLocaleUpperCase() || "?";
}

/** One of `count` colours, always the same for the same text. */
export function colourOf(text: string, count: number): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % count;
}

/**
 * Controls, and characters that show nothing or turn the direction of what follows:
 * with them a name could look like another, or like words of the program.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u115f\u1160\u3164\uffa0\u2800\ufe00-\ufe0f]/gu;
/** Marks that are piled on a letter; two are enough for any language's names. */
const PILED = /(\p{M}{2})\p{M}+/gu;

/** A name as others may see it: one line, and only what can be seen. */
export function cleanName(name: string): string {
  // A joiner within an emoji or a word of some scripts is part of it.
  const joined = name.replace(
    /(?<=[\p{L}\p{M}\p{Extended_Pictographic}\ufe0f])\u200d(?=[\p{L}\p{Extended_Pictographic}])/gu,
    "\ue000",
  );
  return joined
    .replace(/\s+/gu, " ")
    .replace(UNSEEN, (one) => (one === "\ue000" ? "\u200d" : ""))
    .replace(PILED, "$1")
    .trim();
}

/** A name to show where nobody gave one. */
export function personName(name: string): string {
  return cleanName(name) || "Guest";
}

/** "12:48", "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;

/** "12 minutes", "1 hour 2 minutes", "40 seconds". */
export function duration(seconds: number): string {
  if (seconds < 60) return counted(Math.floor(seconds), "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return counted(minutes, "minute");
  const rest = minutes % 60;
  const hours = counted(Math.floor(minutes / 60), "hour");
  return rest === 0 ? hours : `${hours} ${counted(rest, "minute")}`;
}

/** "14:05" today, "yesterday", a date before. Both in milliseconds since the epoch. */
export function whenIn(at: number, now: number, locale?: string): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (at >= midnight) return timeOfDay(at, locale);
  if (at >= new Date(midnight - 12 * 3_600_000).setHours(0, 0, 0, 0)) return "yesterday";
  return new Date(at).toLocaleDateString(locale, { day: "numeric", month: "short" });
}

export function timeOfDay(at: number, locale?: string): string {
  return new Date(at).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

/** "Anna, Ben and 3 others are inside". */
export function whoIsInside(count: number, names: readonly string[]): string {
  if (count === 0) return "Nobody is inside yet";
  const shown = names.slice(0, names.length > 3 ? 2 : 3).map(personName);
  const others = count - shown.length;
  if (shown.length === 0) return count === 1 ? "1 person is inside" : `${count} people are inside`;
  if (others > 0) shown.push(others === 1 ? "1 other" : `${others} others`);
  const last = shown.pop() as string;
  return shown.length === 0 ? `${last} is inside` : `${shown.join(", ")} and ${last} are inside`;
}

export type TextPart = { text: string; href: string | null };

/** Splits a message at its web addresses; only https and http become links. */
export function linkParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}]/gi)) {
    if (!URL.canParse(match[0])) continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index), href: null });
    parts.push({ text: match[0], href: match[0] });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), href: null });
  return parts;
}

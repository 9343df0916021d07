// A chat message in the making. Pure.

/** The longest message that the server takes, in bytes of UTF-8. */
export const MAX_MESSAGE_BYTES = 32 * 1024;

const utf8 = new TextEncoder();

/** Whether a text is too long to be sent. */
export function isTooLong(text: string): boolean {
  // A character takes at most three bytes for each of its UTF-16 units.
  if (text.length * 3 <= MAX_MESSAGE_BYTES) return false;
  return utf8.encode(text).length > MAX_MESSAGE_BYTES;
}

/** Whether a key sends the message: Enter, but not the one that ends a composition. */
export function sends(event: Pick<KeyboardEvent, "isComposing" | "key" | "keyCode" | "shiftKey">): boolean {
  // WebKit ends the composition before its last key, and only this code marks that key.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
}

/** How much of a message is shown before someone asks for all of it. */
export const SHORT = { characters: 1_200, lines: 16 };

/** The beginning of a long message; null for one that is shown whole. */
export function beginning(text: string): string | null {
  const lines = text.split("\n", SHORT.lines + 1);
  if (text.length <= SHORT.characters && lines.length <= SHORT.lines) return null;
  return lines.slice(0, SHORT.lines).join("\n").slice(0, SHORT.characters).trimEnd();
}

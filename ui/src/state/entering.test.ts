import { describe, expect, it } from "vitest";
import { entering } from "./entering";

const now = new Date(2026, 10, 20, 9, 0).getTime();
const at = (day: number, hour: number, minute: number) => new Date(2026, 10, day, hour, minute).getTime();

describe("the entrance", () => {
  it("says the place in the queue of a full room", () => {
    const words = entering({ kind: "waiting", reason: "full", position: 3 }, now);
    expect(words.title).toBe("The room is full");
    expect(words.sentence).toContain("number 3");
  });

  it("says that a host must agree, and who was first", () => {
    const first = entering({ kind: "waiting", reason: "approval", position: 1 }, now);
    expect(first.title).toContain("host");
    expect(first.sentence).toContain("as soon as");
    const second = entering({ kind: "waiting", reason: "approval", position: 2 }, now);
    expect(second.sentence).toBe("1 person was here before you.");
  });

  it("counts down to a room that opens later", () => {
    const words = entering({ kind: "notOpen", opensAt: at(20, 9, 25) }, now, "en-GB");
    expect(words.sentence).toContain("opens at 09:25");
    expect(words.countdown).toBe("25:00");
    expect(entering({ kind: "notOpen", opensAt: now - 1 }, now).countdown).toBeNull();
    const later = entering({ kind: "notOpen", opensAt: at(23, 9, 0) }, now, "en-GB");
    expect(later.sentence).toContain("23 Nov, 09:00");
    expect(later.countdown).toBeNull();
  });
});

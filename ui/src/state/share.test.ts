import { describe, expect, it } from "vitest";
import type { DeviceProblem } from "../generated/DeviceProblem";
import type { ShareChoice } from "../generated/ShareChoice";
import { choiceName, shareProblem, sharingWords } from "./share";

const slides: ShareChoice = { id: "window:0x1", kind: "window", name: "Slides", width: 640, height: 480 };
const screen: ShareChoice = { ...slides, id: "screen:HDMI-1", kind: "screen", name: " " };

describe("sharing", () => {
  it("names what is shared", () => {
    expect(sharingWords({ kind: "off" })).toBeNull();
    expect(sharingWords({ kind: "live", choice: slides })).toBe("You are sharing “Slides”");
    expect(sharingWords({ kind: "live", choice: screen })).toBe("You are sharing a screen");
    expect(choiceName({ ...slides, name: "" })).toBe("Window without a title");
  });

  it("says why it ended", () => {
    const failed = (choice: ShareChoice, problem: DeviceProblem) =>
      shareProblem({ kind: "failed", choice, problem, detail: "out of memory" });
    expect(shareProblem({ kind: "live", choice: slides })).toBeNull();
    expect(failed(slides, "lost")?.title).toBe("The shared window was closed");
    expect(failed(screen, "lost")?.title).toBe("The shared screen went away");
    expect(failed(slides, "refused")?.sentence).toContain("privacy settings");
    expect(failed(slides, "failed")?.sentence).toContain("out of memory");
    expect(sharingWords({ kind: "failed", choice: slides, problem: "lost", detail: "" })).toBeNull();
  });
});

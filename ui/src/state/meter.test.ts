import { describe, expect, it } from "vitest";
import { LevelMeter, position, type Verdict } from "./meter";

const level = (rms: number, peak = rms) => ({ rms, peak });

describe("the level meter", () => {
  it.each<[number, Verdict]>([
    [0, "silent"],
    [0.002, "quiet"],
    [0.01, "low"],
    [0.05, "good"],
    [0.5, "loud"],
  ])("judges an RMS of %f as %s", (rms, verdict) => {
    expect(new LevelMeter().hear(level(rms), 0).verdict).toBe(verdict);
  });

  it("holds its judgement between words and gives it up after", () => {
    const meter = new LevelMeter();
    meter.hear(level(0.05), 0);
    expect(meter.hear(level(0), 2_000).verdict).toBe("good");
    expect(meter.hear(level(0), 5_000).verdict).toBe("silent");
  });

  it("marks clipping long enough to be seen", () => {
    const meter = new LevelMeter();
    expect(meter.hear(level(0.1, 1), 0)).toMatchObject({ clipping: true, verdict: "clipping" });
    expect(meter.hear(level(0.1), 1_000).clipping).toBe(true);
    expect(meter.hear(level(0.1), 1_600)).toMatchObject({ clipping: false, verdict: "good" });
  });

  it("remembers that a microphone was heard, until another one is used", () => {
    const meter = new LevelMeter();
    expect(meter.hear(level(0.0005), 0).heard).toBe(false);
    expect(meter.hear(level(0.05), 100).heard).toBe(true);
    expect(meter.hear(level(0), 60_000).heard).toBe(true);
    meter.reset();
    expect(meter.hear(level(0), 60_100).heard).toBe(false);
  });

  it("has a scale from -60 dB to full scale", () => {
    expect([-90, -60, -30, 0, 6].map(position)).toEqual([0, 0, 0.5, 1, 1]);
  });
});

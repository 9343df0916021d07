import { describe, expect, it } from "vitest";
import type { ConnectionStatistics } from "../generated/ConnectionStatistics";
import type { ParticipantView } from "../generated/ParticipantView";
import type { QualityCause } from "../generated/QualityCause";
import { person } from "./person.fixture";
import { bitRate, figures, missesYouWords, ownWords, qualityMark, receivedWords } from "./quality";

const anna = (rest: Partial<ParticipantView> = {}) =>
  person("anna", { name: "Anna", quality: { level: "good", cause: null }, ...rest });
const poor = (cause: QualityCause, isMe = false) => anna({ isMe, quality: { level: "poor", cause } });
const connection: ConnectionStatistics = {
  participant: "anna",
  roundTripMs: 42.4,
  jitterMs: 6.6,
  lossPercent: 0.25,
  remoteLossPercent: 8.4,
  receivedKbps: 1_240,
  sentKbps: 620,
  availableKbps: 2_500,
  isRelayed: false,
  camera: { width: 1280, height: 720, framesPerSecond: 29.97 },
  screen: null,
};

describe("the quality of a connection", () => {
  it("says on whose side a participant is lost", () => {
    expect(receivedWords(anna())).toBe("You receive Anna well.");
    expect(receivedWords(poor("theirUplink"))).toContain("much of what they send is lost");
    expect(receivedWords(poor("myDownlink"))).toContain("your own connection is weak");
    expect(receivedWords(poor("processor"))).toContain("this computer is too busy");
    expect(receivedWords(anna({ quality: { level: "lost", cause: null } }))).toContain("Nothing arrives");
  });

  it("says who receives the local user badly, and how badly, and is silent about little", () => {
    expect(missesYouWords("Anna", connection)).toBe("Anna receives you badly: 8 % lost on their side.");
    expect(missesYouWords("Anna", { ...connection, remoteLossPercent: 1 })).toBeNull();
    expect(ownWords(anna({ isMe: true }))).toBe("The others receive you well.");
    expect(ownWords(poor("myUplink", true))).toContain("your connection carries too little");
  });

  it("stands on a tile as words, and only when something is wrong", () => {
    expect(qualityMark(anna())).toBeNull();
    expect(qualityMark(anna({ quality: null }))).toBeNull();
    expect(qualityMark(poor("theirUplink"))).toBe("Weak connection");
    expect(qualityMark(poor("myUplink", true))).toBe("Others receive you badly");
    expect(qualityMark(poor("delay"))).toBe("Long delay");
  });

  it("has its figures with units", () => {
    expect(Object.fromEntries(figures(connection))).toEqual({
      Camera: "1280 × 720, 30 fps",
      Received: "1.2 Mbit/s",
      Sent: "620 kbit/s of 2.5 Mbit/s",
      "Lost here": "0.3 %",
      "Lost there": "8.4 %",
      "Round trip": "42 ms",
      Jitter: "7 ms",
      Path: "direct",
    });
    expect(bitRate(999)).toBe("999 kbit/s");
  });
});

import { describe, expect, it } from "vitest";
import type { DeviceState } from "../generated/DeviceState";
import type { DevicesView } from "../generated/DevicesView";
import type { DeviceView } from "../generated/DeviceView";
import { joinLabel, problemWords, readiness } from "./devices";

const live: DeviceState = { kind: "live" };
const busy: DeviceState = { kind: "failed", problem: "busy", detail: "EBUSY" };
const device = (state: DeviceState, muted = false): DeviceView => ({
  choices: [],
  chosen: null,
  default: null,
  missing: null,
  muted,
  state,
});
const devices = (camera: DeviceView, microphone: DeviceView): DevicesView => ({
  camera,
  microphone,
  speaker: device(live),
  format: null,
});

describe("devices", () => {
  it("never keep anyone from joining", () => {
    expect(joinLabel(devices(device(live), device(live)))).toBe("Join now");
    expect(joinLabel(devices(device(busy), device(live)))).toBe("Join without camera");
    expect(joinLabel(devices(device(live), device(busy)))).toBe("Join without microphone");
    expect(joinLabel(devices(device(busy), device(busy)))).toBe("Join to watch and listen");
  });

  it("that fail are told with what to do", () => {
    expect(problemWords("camera", device(live))).toBeNull();
    expect(problemWords("camera", device(busy))).toEqual({
      title: "The camera is in use",
      sentence: "Another program holds it. Close that program or choose another.",
      consequence: "The others will not see you.",
      detail: "EBUSY",
    });
  });

  it("tell whether one is seen and heard", () => {
    expect(readiness(devices(device(live), device(live)), true)).toEqual({
      ready: true,
      sentence: "You can be seen and heard",
    });
    expect(readiness(devices(device(live, true), device(live)), true).sentence).toBe(
      "You can be heard, not seen",
    );
    expect(readiness(devices(device(live), device({ kind: "starting" })), true).sentence).toBe(
      "You can be seen, not heard",
    );
    expect(readiness(devices(device(busy), device(live, true)), true).ready).toBe(false);
  });
});

// How camera, microphone and speaker are, in words.

import type { DeviceKind } from "../generated/DeviceKind";
import type { DeviceProblem } from "../generated/DeviceProblem";
import type { DevicesView } from "../generated/DevicesView";
import type { DeviceView } from "../generated/DeviceView";

export const DEVICE_NAMES: Record<DeviceKind, string> = {
  camera: "camera",
  microphone: "microphone",
  speaker: "speaker",
};

/** What its loss costs, so that nobody is afraid to join. */
const WITHOUT: Record<DeviceKind, string> = {
  camera: "The others will not see you.",
  microphone: "The others will not hear you.",
  speaker: "You will not hear the others.",
};

const PROBLEMS: Record<DeviceProblem, (name: string) => { title: string; sentence: string }> = {
  absent: (name) => ({ title: `No ${name} found`, sentence: "Plug one in; it is seen at once." }),
  busy: (name) => ({
    title: `The ${name} is in use`,
    sentence: "Another program holds it. Close that program or choose another.",
  }),
  refused: (name) => ({
    title: `The ${name} is not allowed`,
    sentence: "The system refused it. Allow it for Visavis in the system's privacy settings.",
  }),
  lost: (name) => ({ title: `The ${name} went away`, sentence: "Plug it in again or choose another." }),
  file: () => ({
    title: "The file cannot be used",
    sentence: "It is missing or of another format. Start Visavis with another file.",
  }),
  failed: (name) => ({
    title: `The ${name} does not work`,
    sentence: "Choose another, or plug it in again.",
  }),
};

export interface ProblemWords {
  title: string;
  sentence: string;
  consequence: string;
  /** What the system said; may be empty. */
  detail: string;
}

/** Why a device does not work; null while it does. */
export function problemWords(kind: DeviceKind, device: DeviceView): ProblemWords | null {
  if (device.state.kind !== "failed") return null;
  const { problem, detail } = device.state;
  return { ...PROBLEMS[problem](DEVICE_NAMES[kind]), consequence: WITHOUT[kind], detail };
}

/** The button that goes in, whatever does not work. */
export function joinLabel({ camera, microphone }: DevicesView): string {
  const [blind, mute] = [camera, microphone].map(({ state }) => state.kind === "failed");
  if (blind && mute) return "Join to watch and listen";
  if (blind) return "Join without camera";
  return mute ? "Join without microphone" : "Join now";
}

/** Whether one will be seen and heard, in a sentence; `heard`: sound came from the microphone. */
export function readiness(
  { camera, microphone }: DevicesView,
  heard: boolean,
): { ready: boolean; sentence: string } {
  const works = ({ muted, state }: DeviceView) => !muted && state.kind === "live";
  const [seen, open] = [works(camera), works(microphone)];
  if (open && !heard) {
    return {
      ready: false,
      sentence: `${seen ? "You can be seen. " : ""}Speak to check that you can be heard`,
    };
  }
  if (seen && open) return { ready: true, sentence: "You can be seen and heard" };
  if (open) return { ready: false, sentence: "You can be heard, not seen" };
  return {
    ready: false,
    sentence: seen ? "You can be seen, not heard" : "You can be neither seen nor heard",
  };
}

// What is done to sound and picture before they are sent, in words. Pure.

import type { BackgroundProblem } from "../generated/BackgroundProblem";
import type { BackgroundView } from "../generated/BackgroundView";
import type { SoundSwitches } from "../generated/SoundSwitches";

export interface SoundWords {
  label: string;
  on: string;
  off: string;
}

/** In the order that sound passes them. */
export const SOUND: Record<keyof SoundSwitches, SoundWords> = {
  echoCancellation: {
    label: "Echo cancellation",
    on: "What your speaker plays is taken out of what your microphone hears.",
    off: "The others hear themselves, unless you wear headphones.",
  },
  noiseSuppression: {
    label: "Noise suppression",
    on: "Fans, keys and traffic are taken out. Turn it off for music.",
    off: "The others hear everything around you.",
  },
  autoGain: {
    label: "Automatic loudness",
    on: "Your voice is brought to an even loudness.",
    off: "You are as loud as your microphone makes you.",
  },
};

const PROBLEMS: Record<BackgroundProblem, string> = {
  modelMissing:
    "Not possible: this installation has no model for it. In a copy of the source, cargo xtask models fetches it.",
  modelDamaged: "Not possible: the model’s file is damaged. Install Visavis again.",
  tooSlow: "Not shown: this computer is too busy. Close other programs and turn it on again.",
  failed: "Not shown: it does not work on this computer.",
};

/** What the switch of the background means as it is. */
export function backgroundWords({ chosen, isPending, problem }: BackgroundView): string {
  if (problem) return PROBLEMS[problem];
  if (isPending) return "It is being blurred…";
  return chosen === "blur" ? "Only you are seen sharply." : "The others see what your camera sees.";
}

/** Whether no background can be turned on here, whatever is tried. */
export function isImpossible({ problem }: BackgroundView): boolean {
  return problem === "modelMissing" || problem === "modelDamaged";
}

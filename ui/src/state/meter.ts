// The microphone's level as a person reads it. Pure: time is an argument.

import type { LevelView } from "../generated/LevelView";

const FLOOR_DB = -60;
/** Speech at a good distance, as RMS. */
export const TARGET_DB = { from: -34, to: -12 };
const QUIET_DB = -45;
/** Linear; full scale is 1. */
const CLIPPING_PEAK = 0.99;
const CLIPPING_HOLD_MS = 1_500;
/** Between words nobody is too quiet: the loudest of this time counts. */
const MEMORY_MS = 2_500;

export type Verdict = "silent" | "quiet" | "low" | "good" | "loud" | "clipping";

export interface Meter {
  /** 0 to 1 on the scale of decibels. */
  level: number;
  clipping: boolean;
  verdict: Verdict;
  /** Whether sound has come from this microphone. */
  heard: boolean;
}

export const VERDICTS: Record<Verdict, string> = {
  silent: "No sound comes in. Speak, or choose another microphone.",
  quiet: "Hardly a sound. Speak, come closer or turn the microphone up.",
  low: "A little quiet. Come closer or turn the microphone up.",
  good: "Good level. Speak as you would in the call.",
  loud: "Loud. Move back a little or turn the microphone down.",
  clipping: "Too loud: it distorts. Move back or turn the microphone down.",
};

/** Where on the scale so many decibels are, 0 to 1. */
export function position(decibels: number): number {
  return Math.min(1, Math.max(0, 1 - decibels / FLOOR_DB));
}

function decibels(linear: number): number {
  return linear > 0 ? 20 * Math.log10(linear) : -Infinity;
}

function judge(loudest: number): Verdict {
  if (loudest <= FLOOR_DB) return "silent";
  if (loudest < QUIET_DB) return "quiet";
  if (loudest < TARGET_DB.from) return "low";
  return loudest <= TARGET_DB.to ? "good" : "loud";
}

export class LevelMeter {
  #heard: { at: number; decibels: number }[] = [];
  #clippedAt = -Infinity;
  #hasHeard = false;

  /** Another microphone: what was heard before says nothing about it. */
  reset(): void {
    this.#heard = [];
    this.#clippedAt = -Infinity;
    this.#hasHeard = false;
  }

  /** `now` in milliseconds, never going back. */
  hear({ rms, peak }: LevelView, now: number): Meter {
    const current = decibels(rms);
    this.#heard = this.#heard.filter(({ at }) => now - at < MEMORY_MS);
    this.#heard.push({ at: now, decibels: current });
    if (peak >= CLIPPING_PEAK) this.#clippedAt = now;
    const clipping = now - this.#clippedAt < CLIPPING_HOLD_MS;
    const loudest = Math.max(...this.#heard.map((heard) => heard.decibels));
    this.#hasHeard ||= loudest >= QUIET_DB;
    return {
      level: position(current),
      clipping,
      heard: this.#hasHeard,
      verdict: clipping ? "clipping" : judge(loudest),
    };
  }
}

// The way into a room, in words. Pure: time is an argument.

import type { CallPhase } from "../generated/CallPhase";
import { clock, timeOfDay, whenIn } from "./text";

export interface EnteringWords {
  title: string;
  sentence: string;
  /** Until the room opens; null when that is not what is waited for. */
  countdown: string | null;
}

const DAY_MS = 24 * 3_600_000;

/** What the entrance says until the room is entered. `now` in milliseconds since the epoch. */
export function entering(phase: CallPhase | undefined, now: number, locale?: string): EnteringWords {
  switch (phase?.kind) {
    case "waiting":
      return phase.reason === "full"
        ? {
            title: "The room is full",
            sentence: `You are number ${phase.position} in the queue and will join automatically.`,
            countdown: null,
          }
        : {
            title: "Waiting for the host to let you in",
            sentence:
              phase.position > 1
                ? `${phase.position - 1} ${phase.position === 2 ? "person was" : "people were"} here before you.`
                : "You will join as soon as the host agrees.",
            countdown: null,
          };
    case "notOpen": {
      const left = phase.opensAt - now;
      const isToday = new Date(phase.opensAt).toDateString() === new Date(now).toDateString();
      const day = isToday ? "" : `${whenIn(phase.opensAt, phase.opensAt + DAY_MS * 2, locale)}, `;
      return {
        title: "The room is not open yet",
        sentence: `It opens at ${day}${timeOfDay(phase.opensAt, locale)}. You will join automatically.`,
        countdown: left > 0 && left < DAY_MS ? clock(left / 1_000) : null,
      };
    }
    default:
      return { title: "Joining…", sentence: "", countdown: null };
  }
}

// Sharing the screen, in words. Pure.

import type { ShareChoice } from "../generated/ShareChoice";
import type { ShareView } from "../generated/ShareView";

/** What a screen or window is called in the picker and while it is shared. */
export function choiceName({ kind, name }: ShareChoice): string {
  const called = name.trim();
  if (called) return called;
  return kind === "screen" ? "Screen" : "Window without a title";
}

/** "Slides", as part of a sentence. */
function quoted(choice: ShareChoice): string {
  return choice.name.trim() ? `“${choice.name.trim()}”` : `a ${choice.kind}`;
}

/** What is shared; null while nothing is, or no longer. */
export function sharingWords(share: ShareView): string | null {
  if (share.kind === "starting") return `Starting to share ${quoted(share.choice)}…`;
  return share.kind === "live" ? `You are sharing ${quoted(share.choice)}` : null;
}

/** Why a share ended by itself or did not begin; null while there is no such thing. */
export function shareProblem(share: ShareView): { title: string; sentence: string } | null {
  if (share.kind !== "failed") return null;
  const { choice, problem, detail } = share;
  if (problem === "lost" || problem === "absent") {
    return choice.kind === "window"
      ? { title: "The shared window was closed", sentence: "You share nothing now." }
      : {
          title: "The shared screen went away",
          sentence: "You share nothing now. Connect it again or share another.",
        };
  }
  if (problem === "refused") {
    return {
      title: "Sharing is not allowed",
      sentence: "Allow Visavis to record the screen in the system's privacy settings, then share again.",
    };
  }
  return {
    title: `${choiceName(choice)} cannot be shared`,
    sentence: `Share another screen or window. The system said: ${detail}.`,
  };
}

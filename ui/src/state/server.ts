// The server, in words.

import type { Reach } from "../generated/Reach";
import type { ServerView } from "../generated/ServerView";

export const REACH: Record<Reach, string> = {
  checking: "Connecting…",
  reachable: "Connected.",
  unreachable: "It does not answer.",
};

/** The host of a URL, or what a person typed. */
export function hostOf(url: string): string {
  return (URL.canParse(url) && new URL(url).host) || url;
}

/** Short, for the chip. */
export function serverName({ hosted, url }: ServerView): string {
  return hosted ? "Hosted on this computer" : hostOf(url);
}

/** What letting others in means, as it is. */
export function sharingWords({ shared, addresses }: ServerView): string {
  if (!shared) return "Only this computer can enter rooms that are hosted here.";
  return addresses.length === 0
    ? "This computer is on no network, so nobody can come in yet."
    : "Anyone on your network who has an id can join. They set this as their server:";
}

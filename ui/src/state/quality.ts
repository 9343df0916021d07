// The quality of connections, in words: what is wrong and on whose side. Pure.

import type { ConnectionStatistics } from "../generated/ConnectionStatistics";
import type { ParticipantView } from "../generated/ParticipantView";
import type { VideoStatistics } from "../generated/VideoStatistics";
import { personName } from "./text";

/** From this loss on sound and video suffer, in percent. */
const HIGH_LOSS = 3;

/** What stands on a tile; null while nothing is wrong. */
export function qualityMark({ quality, isMe }: ParticipantView): string | null {
  if (quality?.level === "lost") return isMe ? "You are cut off" : "Connection interrupted";
  if (quality?.level !== "poor") return null;
  switch (quality.cause) {
    case "processor":
      return isMe ? "This computer is busy" : "Too much for this computer";
    case "delay":
      return "Long delay";
    case "myUplink":
      return "Others receive you badly";
    default:
      return "Weak connection";
  }
}

/** How a participant is received, and why badly. */
export function receivedWords({ name, quality }: ParticipantView): string {
  const who = personName(name);
  if (quality === null) return `Nothing is received of ${who} yet.`;
  if (quality.level === "lost") return `Nothing arrives from ${who}. Trying again…`;
  if (quality.level === "good") return `You receive ${who} well.`;
  switch (quality.cause) {
    case "theirUplink":
      return `You receive ${who} badly: much of what they send is lost on the way.`;
    case "myDownlink":
      return `You receive ${who} badly: your own connection is weak.`;
    case "processor":
      return `You receive ${who} badly: this computer is too busy.`;
    case "delay":
      return `${who} is heard late: the way is long, or its delay varies.`;
    default:
      return `You receive ${who} badly.`;
  }
}

/** What a participant misses of the local user; null while it is little. */
export function missesYouWords(name: string, { remoteLossPercent }: ConnectionStatistics): string | null {
  if (remoteLossPercent < HIGH_LOSS) return null;
  return `${personName(name)} receives you badly: ${Math.round(remoteLossPercent)} % lost on their side.`;
}

/** How the others receive the local user, as a whole. */
export function ownWords({ quality }: ParticipantView): string {
  if (quality === null) return "Nobody receives you yet.";
  if (quality.level === "lost") return "Nobody receives you. Trying again…";
  if (quality.level === "good") return "The others receive you well.";
  switch (quality.cause) {
    case "myUplink":
      return "The others receive you badly: your connection carries too little.";
    case "processor":
      return "The others receive you badly: this computer is too busy.";
    case "delay":
      return "The others hear you late: the way is long, or its delay varies.";
    default:
      return "The others receive you badly.";
  }
}

/** "1.2 Mbit/s", "320 kbit/s". */
export function bitRate(kbps: number): string {
  return kbps >= 1_000 ? `${(kbps / 1_000).toFixed(1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

const percent = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
const ms = (value: number) => `${Math.round(value)} ms`;
const video = ({ width, height, framesPerSecond }: VideoStatistics) =>
  `${width} × ${height}, ${Math.round(framesPerSecond)} fps`;

/** The figures of a connection, as pairs of a name and a value. */
export function figures(connection: ConnectionStatistics): [name: string, value: string][] {
  const { camera, screen, roundTripMs } = connection;
  return [
    ...(camera ? [["Camera", video(camera)] as [string, string]] : []),
    ...(screen ? [["Screen", video(screen)] as [string, string]] : []),
    ["Received", bitRate(connection.receivedKbps)],
    ["Sent", `${bitRate(connection.sentKbps)} of ${bitRate(connection.availableKbps)}`],
    ["Lost here", percent(connection.lossPercent)],
    ["Lost there", percent(connection.remoteLossPercent)],
    ["Round trip", roundTripMs === null ? "not known yet" : ms(roundTripMs)],
    ["Jitter", ms(connection.jitterMs)],
    ["Path", connection.isRelayed ? "relayed" : "direct"],
  ];
}

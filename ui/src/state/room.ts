// What the room shows, derived from the call. Pure.

import type { CallPhase } from "../generated/CallPhase";
import type { CallView } from "../generated/CallView";
import type { ChatView } from "../generated/ChatView";
import type { MutedByHost } from "../generated/MutedByHost";
import type { ParticipantView } from "../generated/ParticipantView";
import type { TrackSource } from "../generated/TrackSource";
import { personName, timeOfDay } from "./text";

/** A source of video. */
export type VideoSource = Extract<TrackSource, "camera" | "screen_share">;

export interface StageTile {
  person: ParticipantView;
  source: VideoSource;
}

/** The tiles of the stage: shared screens, then the others in the order of joining, then the local user. */
export function stageTiles(participants: readonly ParticipantView[]): StageTile[] {
  const others = participants.filter((one) => !one.isMe);
  const screens = others.filter((one) => one.pictures.includes("screen_share"));
  return [
    ...screens.map((person): StageTile => ({ person, source: "screen_share" })),
    ...[...others, ...participants.filter((one) => one.isMe)].map((person): StageTile => ({
      person,
      source: "camera",
    })),
  ];
}

/** The name under which the shell sends the frames of a tile. */
export function pictureName({ id, isMe }: ParticipantView, source: VideoSource): string {
  if (isMe) return "me";
  return source === "screen_share" ? `screen:${id}` : id;
}

/** What the tile of a shared screen is called. */
export function screenName({ name }: ParticipantView): string {
  return `${personName(name)}’s screen`;
}

/** What is wrong with the connection to a participant; null while nothing is. */
export function connectionWords({ connection, problem }: ParticipantView): string | null {
  if (problem === "unreachable") return "No network path found. Trying again…";
  if (problem === "negotiation") return "The two programs do not understand each other. Trying again…";
  switch (connection) {
    case "new":
    case "connecting":
      return "Connecting…";
    case "disconnected":
      return "Connection is weak…";
    case "failed":
      return "Connection lost. Trying again…";
    case "connected":
    case "closed":
      return null;
  }
}

/** What the entrance says until the room is entered. */
export function enteringWords(phase: CallPhase | undefined): string {
  switch (phase?.kind) {
    case "waiting":
      return phase.reason === "full"
        ? `The room is full. You are number ${phase.position} in the queue…`
        : "Waiting for the host to let you in…";
    case "notOpen":
      return `The room opens at ${timeOfDay(phase.opensAt)}. You will join automatically…`;
    default:
      return "Joining…";
  }
}

/** Who muted the local user, and what. */
export function mutedByHostWords({ source, name }: MutedByHost): string {
  const who = name.trim() || "The host";
  switch (source) {
    case "microphone":
      return `${who} muted your microphone.`;
    case "camera":
      return `${who} turned your camera off.`;
    case "screen_share":
    case "screen_share_audio":
      return `${who} stopped your screen share.`;
  }
}

/** What a tile warns of; null while nothing is wrong. */
export function troubleWords(person: ParticipantView): string | null {
  const format = person.camera === "unsupported" ? "Video in an unknown format" : null;
  return connectionWords(person) ?? format;
}

/** A person's name as a tile and the list say it. */
export function calledName({ name, isMe }: ParticipantView): string {
  return isMe ? (name.trim() ? `${name.trim()} (you)` : "You") : personName(name);
}

/** What a person has off, in words. */
export function mutedWords({ microphone, camera }: ParticipantView): string[] {
  const words: string[] = [];
  if (microphone === "muted") words.push("muted");
  if (microphone === "absent") words.push("no microphone");
  if (microphone === "unsupported") words.push("sound in an unknown format");
  if (camera === "unsupported") words.push("video in an unknown format");
  else if (camera !== "on") words.push("camera off");
  return words;
}

export interface ChatGroup {
  id: string;
  name: string;
  isMine: boolean;
  sentAt: number;
  messages: ChatView[];
}

/** Messages of one sender within this time stand under one name. */
const TOGETHER_MS = 3 * 60_000;

export function groupChat(chat: readonly ChatView[]): ChatGroup[] {
  const groups: ChatGroup[] = [];
  for (const message of chat) {
    const open = groups.at(-1);
    const last = open?.messages.at(-1);
    if (open && last?.from === message.from && message.sentAt - open.sentAt < TOGETHER_MS) {
      open.messages.push(message);
    } else {
      const { isMine, sentAt } = message;
      groups.push({
        // An id is unique among the messages of its sender only.
        id: `${message.from} ${message.id}`,
        isMine,
        sentAt,
        name: isMine ? "You" : personName(message.name),
        messages: [message],
      });
    }
  }
  return groups;
}

/** What a screen reader is told of a change, in the order of its weight. */
export function announcements(before: CallView, after: CallView): string[] {
  const told: string[] = [];
  const was = new Map(before.participants.map((one) => [one.id, one]));
  const is = new Set(after.participants.map((one) => one.id));
  for (const one of before.participants) {
    if (!is.has(one.id)) told.push(`${personName(one.name)} left`);
  }
  for (const one of after.participants) {
    const earlier = was.get(one.id);
    const name = one.isMe ? "You are" : `${personName(one.name)} is`;
    if (!earlier) {
      if (!one.isMe) told.push(`${personName(one.name)} joined`);
    } else if (earlier.microphone !== one.microphone && one.microphone !== "absent") {
      told.push(`${name} ${one.microphone === "muted" ? "muted" : "no longer muted"}`);
    }
  }
  if (before.serviceAway !== after.serviceAway) {
    told.push(after.serviceAway ? "Room service away. The call goes on" : "Room service is back");
  }
  const seen = new Set(before.chat.map((message) => message.id));
  for (const message of after.chat) {
    if (!message.isMine && !seen.has(message.id))
      told.push(`${personName(message.name)} says: ${message.text}`);
  }
  return told;
}

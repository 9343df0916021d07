// What the room shows, derived from the call. Pure.

import type { CallView } from "../generated/CallView";
import type { ChatView } from "../generated/ChatView";
import type { MutedByHost } from "../generated/MutedByHost";
import type { ParticipantView } from "../generated/ParticipantView";
import type { ServerView } from "../generated/ServerView";
import type { TrackSource } from "../generated/TrackSource";
import type { TrackView } from "../generated/TrackView";
import { cleanName, personName } from "./text";

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

/** What tells a tile from all others of a stage. */
export function tileKey({ person, source }: StageTile): string {
  return `${source} ${person.id}`;
}

/**
 * The pictures of others that are not looked at, by their names; `isShown`: the tile has
 * a place. A shared screen has no tile before its first picture, and is hidden only
 * where no video is shown.
 */
export function hiddenPictures(
  participants: readonly ParticipantView[],
  isShown: (tile: StageTile) => boolean,
  audioOnly: boolean,
): string[] {
  return participants
    .filter(({ isMe }) => !isMe)
    .flatMap((person) => [
      ...(isOn(person.camera) && !isShown({ person, source: "camera" })
        ? [pictureName(person, "camera")]
        : []),
      ...(isOn(person.screenShare) && audioOnly ? [pictureName(person, "screen_share")] : []),
    ]);
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

/** Who muted the local user, and what. */
export function mutedByHostWords({ source, name }: MutedByHost): string {
  const who = cleanName(name) || "The host";
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

/** What the local user may send, in words. */
const GRANTS: Partial<Record<TrackSource, string>> = {
  microphone: "speak",
  camera: "turn your camera on",
  screen_share: "share your screen",
};

function listed(words: string[], and: string): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1)}`;
}

/** What the local user may do from now on, or no longer; null where nothing changed. */
export function grantWords(before: readonly TrackSource[], after: readonly TrackSource[]): string | null {
  const changed = (from: readonly TrackSource[], to: readonly TrackSource[]) =>
    Object.entries(GRANTS).flatMap(([source, words]) => {
      const [was, is] = [from, to].map((grants) => grants.includes(source as TrackSource));
      return is && !was ? [words] : [];
    });
  const [gained, lost] = [changed(before, after), changed(after, before)];
  const sentences = [
    ...(gained.length > 0 ? [`You may now ${listed(gained, "and")}.`] : []),
    ...(lost.length > 0 ? [`You may no longer ${listed(lost, "or")} here.`] : []),
  ];
  return sentences.join(" ") || null;
}

/**
 * What a host is asked who leaves others behind; null where nobody is asked. The server
 * makes the one host who is there longest and may publish.
 */
export function leaveQuestion(
  participants: readonly ParticipantView[],
  { hosted }: Pick<ServerView, "hosted">,
): string[] | null {
  const others = participants.filter(({ isMe }) => !isMe);
  const isHost = participants.some(({ isMe, role }) => isMe && role === "host");
  if (!isHost || others.length === 0) return null;
  const next = others.find(({ role }) => role === "host") ?? others.find(({ role }) => role !== "viewer");
  const who = others.length === 1 ? `${calledName(others[0] as ParticipantView)} is` : "Others are";
  return [
    `${who} still in the call. ${next ? `${calledName(next)} becomes host when you leave.` : "It will have no host."}`,
    ...(hosted
      ? ["The call is hosted on this computer: new people can join only while Visavis stays open."]
      : []),
  ];
}

/** Whether a track is sent, also where it is paused for want of bandwidth. */
function isOn(track: TrackView): boolean {
  return track === "on" || track === "suspended";
}

/** What a tile warns of; null while nothing is wrong. */
export function troubleWords(person: ParticipantView): string | null {
  return connectionWords(person) ?? videoWords(person);
}

/** Why video of a participant who sends some is not shown. */
function videoWords({ camera, screenShare, name }: ParticipantView): string | null {
  if (camera === "unsupported") return "Video in an unknown format";
  const paused = camera === "suspended" ? "Video" : screenShare === "suspended" ? "Screen" : null;
  return paused && `${paused} paused: ${personName(name)} has too little bandwidth`;
}

/** Only the local user is called "(you)", whatever names others choose. */
function withoutYou(name: string): string {
  const rest = name.replace(/[\s([{（]*[([{（]\s*you\s*[)\]}）]?\s*$/iu, "") || "Guest";
  return /^you$/iu.test(rest) ? `${rest} (guest)` : rest;
}

/** A person's name as a tile and the list say it. */
export function calledName({ name, isMe }: ParticipantView): string {
  if (!isMe) return withoutYou(personName(name));
  const own = cleanName(name);
  return own ? `${withoutYou(own)} (you)` : "You";
}

/** What a person has off, in words. */
export function mutedWords({ microphone, camera }: ParticipantView): string[] {
  const words: string[] = [];
  if (microphone === "muted") words.push("muted");
  if (microphone === "absent") words.push("no microphone");
  if (microphone === "unsupported") words.push("sound in an unknown format");
  if (camera === "unsupported") words.push("video in an unknown format");
  else if (camera === "suspended") words.push("video paused");
  else if (camera !== "on") words.push("camera off");
  return words;
}

/** How loud a participant is played. */
export function volumeWords(percent: number): string {
  return percent === 0 ? "Silent" : `${percent} %`;
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
    const [shared, shares] = [earlier ? isOn(earlier.screenShare) : false, isOn(one.screenShare)];
    if (shared !== shares && (earlier || shares)) {
      const who = one.isMe ? "You" : personName(one.name);
      const verbs = one.isMe ? ["share", "stopped sharing"] : ["shares", "stopped sharing"];
      told.push(`${who} ${verbs[shares ? 0 : 1]} ${one.isMe ? "your" : "a"} screen`);
    }
  }
  if (before.serviceAway !== after.serviceAway) {
    told.push(
      after.serviceAway ? "Server connection lost. The call continues" : "The server is connected again",
    );
  }
  return told;
}

/** More new messages than this are counted, not read out. */
const READ_OUT = 3;
/** Of a longer message only the beginning is read out. */
const READ_OUT_CHARACTERS = 300;

/** What a screen reader is told of new messages. */
export function chatAnnouncements(before: readonly ChatView[], after: readonly ChatView[]): string[] {
  const keyOf = ({ from, id }: ChatView) => `${from} ${id}`;
  const seen = new Set(before.map(keyOf));
  const fresh = after.filter((message) => !message.isMine && !seen.has(keyOf(message)));
  if (fresh.length > READ_OUT) return [`${fresh.length} new messages`];
  return fresh.map(({ name, text }) => {
    const isLong = text.length > READ_OUT_CHARACTERS;
    return `${personName(name)} says: ${isLong ? `${text.slice(0, READ_OUT_CHARACTERS)}…` : text}`;
  });
}

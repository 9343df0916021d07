// Made-up views, one for each state that a screen can be in.

import type { AppView } from "../../generated/AppView";
import type { CallView } from "../../generated/CallView";
import type { ChatView } from "../../generated/ChatView";
import type { CommandError } from "../../generated/CommandError";
import type { ConnectionStatistics } from "../../generated/ConnectionStatistics";
import type { DeviceProblem } from "../../generated/DeviceProblem";
import type { DevicesView } from "../../generated/DevicesView";
import type { DeviceView } from "../../generated/DeviceView";
import type { EndReason } from "../../generated/EndReason";
import type { ParticipantView } from "../../generated/ParticipantView";
import type { RecentRoom } from "../../generated/RecentRoom";
import type { Screen } from "../../generated/Screen";
import type { ServerView } from "../../generated/ServerView";
import type { ShareChoice } from "../../generated/ShareChoice";

const MINUTE = 60_000;
const LONG =
  "Prof. Dr. Maximiliane-Alexandrina von und zu Hohenlohe-Langenburg-Württemberg, chair of the committee";

function device(...names: string[]): DeviceView {
  const choices = names.map((name) => ({ id: name.toLowerCase(), name }));
  return {
    choices,
    chosen: choices[0]?.id ?? null,
    default: names[0] ?? null,
    missing: null,
    muted: false,
    state: { kind: "live" },
  };
}

function failed(problem: DeviceProblem, detail: string, ...names: string[]): DeviceView {
  return { ...device(...names), state: { kind: "failed", problem, detail } };
}

const devices: DevicesView = {
  camera: device("Logitech BRIO", "Integrated camera"),
  microphone: device("Built-in microphone", "Logitech BRIO"),
  speaker: device("WH-1000XM4", "Built-in speakers"),
  format: { width: 1280, height: 720, framesPerSecond: 29.97 },
};

const server: ServerView = {
  url: "ws://127.0.0.1:40123",
  hosted: true,
  shared: false,
  addresses: [],
  reach: "reachable",
};

/** What the made-up desktop has to share. */
export const screens: ShareChoice[] = [
  { id: "screen:eDP-1", kind: "screen", name: "eDP-1", width: 1920, height: 1080 },
  { id: "screen:HDMI-1", kind: "screen", name: "HDMI-1", width: 2560, height: 1440 },
  { id: "window:0x1e00003", kind: "window", name: "Quarterly numbers — Slides", width: 1280, height: 800 },
  { id: "window:0x2200007", kind: "window", name: LONG, width: 900, height: 700 },
  { id: "window:0x3000001", kind: "window", name: "", width: 640, height: 480 },
];

function visit(id: string, name: string, minutes: number, server: string | null = null): RecentRoom {
  return { server, room: { id, name, at: Date.now() - minutes * MINUTE } };
}

const lobby: AppView = {
  screen: { kind: "lobby" },
  name: "Mira",
  server,
  rooms: [
    { id: "abc-defg-hij", name: "Design review", participantCount: 3 },
    { id: "kit-chen-pad", name: "Kitchen table", participantCount: 1 },
    { id: "lec-ture-hal", name: "Lecture hall 4", participantCount: 41 },
  ],
  settingsProblem: null,
  shortcuts: true,
  link: null,
  recent: [
    visit("abc-defg-hij", "Design review", 90),
    visit("mno-pqrs-tuv", "Oma & Opa", 24 * 60, "wss://rooms.example.org"),
    visit("xyz-abcd-efg", "Standup", 90 * 60),
  ],
  devices,
  sound: { echoCancellation: true, noiseSuppression: true, autoGain: true },
  background: { chosen: "none", isPending: false, problem: null },
  share: { kind: "off" },
  chat: 0,
  call: null,
};

export function person(name: string, rest: Partial<ParticipantView> = {}): ParticipantView {
  return {
    id: name,
    name,
    isMe: false,
    role: "participant",
    connection: "connected",
    microphone: "on",
    camera: "on",
    screenShare: "absent",
    problem: null,
    speaking: false,
    volume: 100,
    pictures: ["camera"],
    quality: { level: "good", cause: null },
    ...rest,
  };
}

export function me(name: string, { camera, microphone }: DevicesView): ParticipantView {
  const isOn = !camera.muted && camera.state.kind === "live";
  return person(name, {
    id: "me-id",
    isMe: true,
    role: "host",
    pictures: isOn ? ["camera"] : [],
    camera: isOn ? "on" : "muted",
    microphone: microphone.muted ? "muted" : "on",
  });
}

/** What is measured of a participant; `wave` moves between -1 and 1. */
export function measured(
  { id, pictures, quality }: ParticipantView,
  index: number,
  wave: number,
): ConnectionStatistics {
  const isPoor = quality?.level === "poor";
  return {
    participant: id,
    roundTripMs: 38 + 20 * index + 4 * wave,
    jitterMs: 6 + 2 * wave,
    lossPercent: isPoor ? 11 + wave : 0.2,
    remoteLossPercent: isPoor && index === 0 ? 8 + 0.3 * wave : 0.4,
    receivedKbps: 1_180 + 60 * wave,
    sentKbps: 940 + 40 * wave,
    availableKbps: 2_400,
    isRelayed: index === 2,
    camera: pictures.includes("camera") ? { width: 1280, height: 720, framesPerSecond: 29 + wave } : null,
    screen: pictures.includes("screen_share")
      ? { width: 1920, height: 1080, framesPerSecond: 14 + wave }
      : null,
  };
}

export function chat(id: string, from: string, text: string, rest: Partial<ChatView> = {}): ChatView {
  return {
    id,
    from,
    name: from,
    isMine: false,
    isPrivate: false,
    text,
    sentAt: Date.now(),
    pending: false,
    ...rest,
  };
}

export function inCall(participants: ParticipantView[], rest: Partial<CallView> = {}): CallView {
  return {
    phase: { kind: "inside" },
    room: { id: "abc-defg-hij", name: "Design review" },
    participants,
    chat: [],
    serviceAway: false,
    mutedByHost: null,
    mayPublish: ["microphone", "camera", "screen_share", "screen_share_audio"],
    ...rest,
  };
}

const mira = me("Mira", devices);
const full = inCall(
  [
    mira,
    person("Anna Lindqvist", { speaking: true }),
    person("Ben Okafor", { microphone: "muted" }),
    person("Chen Wei", { pictures: [], camera: "muted" }),
  ],
  {
    chat: [
      chat(
        "1",
        "Anna Lindqvist",
        "The second draft is in the shared folder: https://files.example.org/draft-2.",
        {
          sentAt: Date.now() - 7 * MINUTE,
        },
      ),
      chat("2", "Anna Lindqvist", "Page 3 is new.", { sentAt: Date.now() - 6 * MINUTE }),
      chat("3", "Ben Okafor", "On a train, my picture may freeze. Sound should be fine.", {
        sentAt: Date.now() - 5 * MINUTE,
      }),
      chat("4", "Mira", "We read you well.", { isMine: true, sentAt: Date.now() - 4 * MINUTE }),
    ],
  },
);

const room = (call: CallView, rest: Partial<AppView> = {}): AppView => ({
  ...lobby,
  screen: { kind: "room", demo: false },
  call,
  ...rest,
});

const preJoin = (
  view: Partial<AppView> = {},
  screen: Partial<Extract<Screen, { kind: "preJoin" }>> = {},
): AppView => ({
  ...lobby,
  screen: {
    kind: "preJoin",
    roomId: "abc-defg-hij",
    title: "Design review",
    demo: false,
    info: {
      id: "abc-defg-hij",
      name: "Design review",
      state: "IN_CALL",
      participantCount: 3,
      needsPasscode: false,
      waitingRoom: false,
      names: ["Anna", "Ben", "Chen"],
    },
    ...screen,
  },
  ...view,
});

const ended = (reason: EndReason, seconds: number, roomId: string | null = "abc-defg-hij"): AppView => ({
  ...lobby,
  screen: { kind: "ended", roomId, seconds },
  call: { ...full, phase: { kind: "ended", reason }, room: seconds > 0 ? full.room : null },
});

const broken: DevicesView = {
  camera: failed("busy", "VIDIOC_STREAMON: Device or resource busy", "Logitech BRIO"),
  microphone: failed("absent", ""),
  speaker: device("Built-in speakers"),
  format: null,
};

/** What a scene shows: a view, why there is none, or nothing yet. */
const SCENES: Record<string, AppView | CommandError | null> = {
  starting: null,
  "not-started": { kind: "system", detail: "the settings could not be read" },
  lobby,
  "lobby-first": { ...lobby, name: "", rooms: [], recent: [] },
  "lobby-checking": { ...lobby, rooms: [], server: { ...server, reach: "checking" } },
  "lobby-away": {
    ...lobby,
    rooms: [],
    server: {
      url: "wss://rooms.example.org",
      hosted: false,
      shared: false,
      addresses: [],
      reach: "unreachable",
    },
  },
  "lobby-shared": {
    ...lobby,
    server: { ...server, shared: true, addresses: ["ws://192.0.2.17:7420", "ws://[2001:db8::17]:7420"] },
  },
  "lobby-long": {
    ...lobby,
    name: LONG,
    server: {
      ...server,
      hosted: false,
      url: "wss://a-very-long-name-of-a-server.conference.department.example.org:7420",
    },
    rooms: [...lobby.rooms, { id: "lon-gnam-eee", name: LONG, participantCount: 12 }],
    recent: [visit("0b1e6f2c-6b0f-4b0e-9a55-0f6a2f6f7f10", LONG, 1), ...lobby.recent],
  },
  "lobby-link": {
    ...lobby,
    link: { room: "abc-defg-hij", server: "ws://rooms.example.com", isCleartext: true },
  },
  "lobby-unsaved": { ...lobby, settingsProblem: "Read-only file system (os error 30)" },
  stopped: lobby,
  prejoin: preJoin(),
  "prejoin-default": preJoin({
    devices: { ...devices, microphone: { ...device("Desk microphone", "Headset"), chosen: null } },
  }),
  "prejoin-silent": preJoin(),
  "prejoin-no-model": preJoin({
    background: { chosen: "blur", isPending: false, problem: "modelMissing" },
  }),
  "prejoin-new": preJoin({ name: "" }, { roomId: null, title: "", info: null }),
  "prejoin-demo": preJoin({}, { roomId: null, title: "Demo call", info: null, demo: true }),
  "prejoin-starting": preJoin({
    devices: {
      ...devices,
      camera: { ...devices.camera, state: { kind: "starting" } },
      microphone: { ...devices.microphone, state: { kind: "starting" } },
      format: null,
    },
  }),
  "prejoin-muted": preJoin({
    devices: {
      ...devices,
      camera: { ...devices.camera, muted: true, state: { kind: "off" }, missing: "Studio camera" },
      microphone: { ...devices.microphone, muted: true },
      format: null,
    },
  }),
  "prejoin-failed": preJoin({ devices: broken }),
  "prejoin-long": preJoin({ name: LONG }, { title: LONG }),
  room: room(full),
  "room-poor": room(
    inCall([
      { ...mira, quality: { level: "poor", cause: "myUplink" } },
      person("Anna Lindqvist", { quality: { level: "poor", cause: "theirUplink" } }),
      person("Ben Okafor", { quality: { level: "poor", cause: "processor" }, microphone: "muted" }),
      person("Chen Wei", { quality: { level: "lost", cause: null }, pictures: [] }),
      person(LONG, { id: "long", quality: { level: "poor", cause: "delay" } }),
    ]),
  ),
  "room-two": room(inCall([mira, person("Anna Lindqvist")])),
  "room-screen": room(
    inCall([
      mira,
      person("Anna Lindqvist", { screenShare: "on", pictures: ["camera", "screen_share"] }),
      person("Ben Okafor", { camera: "unsupported", pictures: [] }),
    ]),
  ),
  "room-screens": room(
    inCall([
      mira,
      person("Anna Lindqvist", { screenShare: "on", pictures: ["camera", "screen_share"] }),
      person("Ben Okafor", { screenShare: "on", pictures: ["camera", "screen_share"], speaking: true }),
      ...["Chen Wei", "Dora Maar", "Eli Cohen", "Fatima Noor", "Goran Ilić"].map((name) => person(name)),
    ]),
  ),
  "room-sharing": room(
    {
      ...full,
      participants: full.participants.map((one) => (one.isMe ? { ...one, screenShare: "on" } : one)),
    },
    { share: { kind: "live", choice: screens[2] as ShareChoice } },
  ),
  "room-share-closed": room(full, {
    share: {
      kind: "failed",
      choice: screens[2] as ShareChoice,
      problem: "lost",
      detail: "the device was disconnected",
    },
  }),
  "room-no-sharing": room(full),
  "room-listener": room({ ...full, mayPublish: ["microphone"] }),
  "room-revoked": room(full, { share: { kind: "live", choice: screens[2] as ShareChoice } }),
  "room-viewer": room({
    ...full,
    mayPublish: [],
    participants: full.participants.map((one) => (one.isMe ? { ...one, role: "viewer", pictures: [] } : one)),
  }),
  "room-muted": room({ ...full, mutedByHost: { source: "microphone", name: "Anna Lindqvist" } }),
  "room-unplugged": room(full),
  "room-flood": room(full),
  "room-alone": room(inCall([mira])),
  "room-names": room(
    inCall([
      mira,
      person("Mira (you)", { id: "spoof" }),
      person("\u202Egro.live\u202C Bob\u0007", { id: "bidi" }),
      person("\u200B\u2060\u00AD", { id: "invisible" }),
      person("محمد علي", { id: "arabic" }),
    ]),
  ),
  "room-long-id": room({
    ...inCall([mira, person("Anna Lindqvist")]),
    room: { id: "x".repeat(128), name: LONG },
  }),
  "room-full": room({
    ...inCall([]),
    phase: { kind: "waiting", reason: "full", position: 3 },
    room: null,
  }),
  "room-waiting": room({
    ...inCall([]),
    phase: { kind: "waiting", reason: "approval", position: 2 },
    room: null,
  }),
  "room-not-open": room({
    ...inCall([]),
    phase: { kind: "notOpen", opensAt: Date.now() + 25 * MINUTE },
    room: null,
  }),
  "room-passcode": room({ ...inCall([]), phase: { kind: "passcodeNeeded", wrong: true }, room: null }),
  "room-joining": room({ ...inCall([]), phase: { kind: "joining" }, room: null }),
  "room-trouble": room(
    {
      ...full,
      serviceAway: true,
      participants: [
        { ...mira, microphone: "muted", camera: "muted", pictures: [] },
        person("Anna Lindqvist", { connection: "connecting", pictures: [] }),
        person("Ben Okafor", { connection: "failed", problem: "unreachable", microphone: "muted" }),
        person("", { id: "guest", connection: "disconnected", pictures: [], microphone: "absent" }),
      ],
    },
    { devices: { ...devices, microphone: { ...devices.microphone, muted: true }, camera: broken.camera } },
  ),
  "room-many": room(
    inCall([
      mira,
      person(LONG, { speaking: true, microphone: "muted", connection: "disconnected" }),
      ...[
        "Anna Lindqvist",
        "Ben Okafor",
        "Chen Wei",
        "Dora Maar",
        "Eli Cohen",
        "Fatima Noor",
        "Goran Ilić",
      ].map((name, i) =>
        person(name, { pictures: i % 3 === 2 ? [] : ["camera"], microphone: i % 2 ? "on" : "muted" }),
      ),
    ]),
  ),
  "room-crowd": room(
    inCall([mira, ...Array.from({ length: 22 }, (_, i) => person(`Guest ${i + 1}`, { speaking: i === 4 }))]),
  ),
  ended: ended({ kind: "left" }, 2_912),
  "ended-lost": ended({ kind: "connectionLost" }, 65),
  "ended-unreachable": ended({ kind: "serverUnreachable" }, 0, null),
  "ended-removed": ended({ kind: "removed", why: "removed-by-host" }, 312),
  "ended-by-host": ended({ kind: "roomClosed", why: "ended-by-host" }, 1_204),
  "ended-full": ended({ kind: "refused", code: "room-full" }, 0),
  "ended-none": ended({ kind: "refused", code: "room-not-found" }, 0),
};

export function scene(name: string): AppView | CommandError | null {
  const found = SCENES[name || "lobby"];
  if (found === undefined) throw new Error(`no scene ${name}; there are ${Object.keys(SCENES).join(", ")}`);
  return found;
}

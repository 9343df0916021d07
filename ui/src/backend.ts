// What the page asks of the shell (docs/desktop-contract.md). The page holds
// no rules: it draws the view and sends commands.

import type { AppView } from "./generated/AppView";
import type { BackgroundChoice } from "./generated/BackgroundChoice";
import type { ChatUpdate } from "./generated/ChatUpdate";
import type { CommandError } from "./generated/CommandError";
import type { ConnectionStatistics } from "./generated/ConnectionStatistics";
import type { DeviceKind } from "./generated/DeviceKind";
import type { LevelView } from "./generated/LevelView";
import type { ShareChoice } from "./generated/ShareChoice";
import type { SoundSwitches } from "./generated/SoundSwitches";

/** The part of a WebSocket that the pictures need. */
export type VideoSocket = Pick<
  WebSocket,
  "binaryType" | "close" | "onclose" | "onmessage" | "onopen" | "send"
>;

/** What can be muted. */
export type Mutable = Exclude<DeviceKind, "speaker">;

/** Every command rejects with a {@link CommandError}. */
export interface Backend {
  getView(): Promise<AppView>;
  onView(listener: (view: AppView) => void): Promise<void>;
  /** The shell has failed: nothing answers any longer but `restart`. */
  onStopped(listener: () => void): Promise<void>;
  restart(): Promise<void>;
  onLevel(listener: (level: LevelView) => void): Promise<void>;
  /** A socket that is being opened. */
  openVideo(): Promise<VideoSocket>;

  /** `null`: host it on this computer. */
  setServer(url: string | null): Promise<void>;
  shareOnNetwork(shared: boolean): Promise<void>;
  refreshRooms(): Promise<void>;
  /** A link to an unknown server is shown in the view instead. */
  openRoom(text: string): Promise<void>;
  /** `null`: hosted here. */
  openRecent(server: string | null, room: string): Promise<void>;
  /** Follows the link of the view, or forgets it. */
  answerLink(accept: boolean): Promise<void>;
  setShortcuts(on: boolean): Promise<void>;
  newRoom(name: string, isPrivate: boolean): Promise<void>;
  tryDemo(): Promise<void>;
  setName(name: string): Promise<void>;
  /** `null`: the system's choice. */
  chooseDevice(kind: DeviceKind, id: string | null): Promise<void>;
  setMuted(kind: Mutable, muted: boolean): Promise<void>;
  setSound(switches: SoundSwitches): Promise<void>;
  /** Choosing one again tries it again. */
  setBackground(choice: BackgroundChoice): Promise<void>;
  testSpeaker(): Promise<void>;
  join(): Promise<void>;
  backToLobby(): Promise<void>;
  rejoin(): Promise<void>;
  enterPasscode(passcode: string): Promise<void>;
  /** What changed in the chat since this revision, from 0. */
  readChat(known: number): Promise<ChatUpdate>;
  sendChat(text: string): Promise<void>;
  /** 0 to 200 percent, for the rest of the call. */
  setVolume(participant: string, percent: number): Promise<void>;
  /** What is measured of the connections of the call, read while it is shown. */
  readStatistics(): Promise<ConnectionStatistics[]>;
  /** What can be shared; asked each time the picker opens. */
  listScreens(): Promise<ShareChoice[]>;
  /** `null`: share nothing. */
  shareScreen(id: string | null): Promise<void>;
  leave(): Promise<void>;
  /** The link to give to others. */
  invitation(): Promise<string>;
}

/** Reads what a command was rejected with; anything unknown is the system's. */
export function commandError(thrown: unknown): CommandError {
  if (typeof thrown === "object" && thrown !== null && "kind" in thrown) return thrown as CommandError;
  return { kind: "system", detail: thrown instanceof Error ? thrown.message : String(thrown) };
}

// Plays the shell for development and page tests: `?fake=SCENE`. Never shipped.

import type { Backend, Mutable, VideoSocket } from "../backend";
import type { AppView } from "../generated/AppView";
import type { BackgroundChoice } from "../generated/BackgroundChoice";
import type { CallView } from "../generated/CallView";
import type { ChatUpdate } from "../generated/ChatUpdate";
import type { CommandError } from "../generated/CommandError";
import type { ConnectionStatistics } from "../generated/ConnectionStatistics";
import type { DeviceState } from "../generated/DeviceState";
import type { ErrorCode } from "../generated/ErrorCode";
import type { LevelView } from "../generated/LevelView";
import type { ShareChoice } from "../generated/ShareChoice";
import type { SoundSwitches } from "../generated/SoundSwitches";
import { DrawnPictures } from "./fake/pictures";
import { chat, inCall, me, measured, person, scene, screens } from "./fake/scenes";

const pause = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds));

function refuse(error: CommandError): never {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- as the real shell rejects
  throw error;
}

class FakeShell implements Backend {
  #view: AppView | CommandError | null;
  #onView: (view: AppView) => void = () => undefined;
  #enteredAt = 0;
  #chats = 0;
  readonly #scene: string;
  #revision = 1;

  constructor(name: string) {
    this.#scene = name;
    this.#view = scene(name);
    if (name === "room-unplugged") setTimeout(() => this.#unplug(), 500);
    if (name === "room-revoked") setTimeout(() => this.#revoke(), 800);
    if (name === "room-flood") setTimeout(() => void this.#flood(), 500);
  }

  get #now(): AppView {
    if (this.#view === null || "kind" in this.#view) throw new Error("there is no view");
    return this.#view;
  }

  #set(change: Partial<AppView>): void {
    if (change.call && change.call.chat !== this.#now.call?.chat) this.#revision++;
    this.#view = { ...this.#now, ...change };
    this.#onView(this.#shown);
  }

  #setCall(change: (call: CallView) => Partial<CallView>): void {
    const { call } = this.#now;
    if (call) this.#set({ call: { ...call, ...change(call) } });
  }

  /** The chat travels by itself, as from the real shell. */
  get #shown(): AppView {
    const { call } = this.#now;
    return { ...this.#now, chat: call ? this.#revision : 0, call: call && { ...call, chat: [] } };
  }

  /** 500 long messages of one person, as fast as the shell shows them. */
  async #flood(): Promise<void> {
    const text = "All work and no play makes a dull day. ".repeat(100);
    for (let i = 0; i < 500; i += 25) {
      const messages = Array.from({ length: 25 }, (_, n) =>
        chat(`flood-${i + n}`, "Anna Lindqvist", `${i + n} ${text}`),
      );
      this.#setCall((call) => ({ chat: [...call.chat, ...messages] }));
      await pause(50);
    }
  }

  /** The host takes the right to share, and the share ends with it. */
  #revoke(): void {
    this.#setCall(() => ({ mayPublish: ["microphone", "camera"] }));
    this.#set({ share: { kind: "off" } });
  }

  #unplug(): void {
    const { devices } = this.#now;
    const state: DeviceState = { kind: "failed", problem: "lost", detail: "no such device" };
    this.#set({
      devices: {
        ...devices,
        camera: { ...devices.camera, state },
        speaker: { ...devices.speaker, missing: "WH-1000XM4" },
      },
    });
  }

  async getView(): Promise<AppView> {
    if (this.#view === null) await new Promise(() => undefined);
    if (this.#view && "kind" in this.#view) refuse(this.#view);
    return this.#shown;
  }

  onView(listener: (view: AppView) => void): Promise<void> {
    this.#onView = listener;
    return Promise.resolve();
  }

  onStopped(listener: () => void): Promise<void> {
    if (this.#scene === "stopped") setTimeout(listener, 500);
    return Promise.resolve();
  }

  restart(): Promise<void> {
    location.reload();
    return Promise.resolve();
  }

  onLevel(listener: (level: LevelView) => void): Promise<void> {
    setInterval(() => {
      if (this.#scene === "prejoin-silent") {
        listener({ rms: 0, peak: 0 });
        return;
      }
      const loud = 0.06 + 0.04 * Math.sin(performance.now() / 300);
      listener({ rms: loud, peak: loud * 2 });
    }, 66);
    return Promise.resolve();
  }

  openVideo(): Promise<VideoSocket> {
    return Promise.resolve(new DrawnPictures(() => this.#now.call?.participants ?? []));
  }

  async setServer(url: string | null): Promise<void> {
    await pause(120);
    if (url !== null && !/^(wss?|https?):\/\//.test(url)) refuse({ kind: "notAServer" });
    const hosted = url === null;
    const server = { url: url ?? "ws://127.0.0.1:40123", hosted, shared: false, addresses: [] };
    this.#set({ server: { ...server, reach: url?.includes("away") ? "unreachable" : "reachable" } });
  }

  async shareOnNetwork(shared: boolean): Promise<void> {
    await pause(120);
    const addresses = shared ? ["ws://192.0.2.17:7420", "ws://[2001:db8::17]:7420"] : [];
    this.#set({ server: { ...this.#now.server, shared, addresses } });
  }

  refreshRooms(): Promise<void> {
    return pause(300);
  }

  async openRoom(text: string): Promise<void> {
    await pause(80);
    if (this.#now.server.reach === "unreachable") refuse({ kind: "serverUnreachable" });
    const server = /server=([^#]+)/.exec(text)?.[1];
    if (server) {
      const found = /[a-z]{3}-[a-z]{4}-[a-z]{3}/.exec(text)?.[0] ?? refuse({ kind: "notARoom" });
      this.#set({ link: { room: found, server: decodeURIComponent(server), isCleartext: true } });
      return;
    }
    const id = /[a-z]{3}-[a-z]{4}-[a-z]{3}/.exec(text)?.[0] ?? refuse({ kind: "notARoom" });
    if (id === "non-eeee-non") refuse({ kind: "refused", code: "room-not-found" });
    const title = this.#now.recent.find(({ room }) => room.id === id)?.room.name ?? id;
    const names = ["Anna Lindqvist", "Ben Okafor", "Chen Wei"];
    const inside = { participantCount: 3, needsPasscode: false, waitingRoom: false, names };
    this.#set({
      screen: {
        kind: "preJoin",
        roomId: id,
        title,
        demo: false,
        info: { id, name: title, state: "IN_CALL", ...inside },
      },
    });
  }

  openRecent(_server: string | null, room: string): Promise<void> {
    return this.openRoom(room);
  }

  async answerLink(accept: boolean): Promise<void> {
    const { link } = this.#now;
    if (!accept || !link) {
      this.#set({ link: null });
      return;
    }
    await pause(120);
    if (link.room === "awa-yyyy-awa") refuse({ kind: "serverUnreachable" });
    await this.openRoom(link.room);
    this.#set({ link: null });
  }

  setShortcuts(on: boolean): Promise<void> {
    this.#set({ shortcuts: on });
    return Promise.resolve();
  }

  newRoom(name: string): Promise<void> {
    this.#set({
      screen: { kind: "preJoin", roomId: null, title: name || "New room", demo: false, info: null },
    });
    return Promise.resolve();
  }

  tryDemo(): Promise<void> {
    this.#set({ screen: { kind: "preJoin", roomId: null, title: "Demo call", demo: true, info: null } });
    return Promise.resolve();
  }

  setName(name: string): Promise<void> {
    this.#set({ name });
    return Promise.resolve();
  }

  chooseDevice(kind: "camera" | "microphone" | "speaker", id: string | null): Promise<void> {
    const { devices } = this.#now;
    this.#set({ devices: { ...devices, [kind]: { ...devices[kind], chosen: id, missing: null } } });
    return Promise.resolve();
  }

  async setMuted(kind: Mutable, muted: boolean): Promise<void> {
    await pause(150);
    const { devices, call } = this.#now;
    if (call?.phase.kind === "inside" && !muted && !call.mayPublish.includes(kind)) {
      refuse({ kind: "refused", code: "forbidden" });
    }
    const state: DeviceState = kind === "camera" && muted ? { kind: "off" } : { kind: "live" };
    const failed = devices[kind].state.kind === "failed";
    this.#set({
      devices: {
        ...devices,
        [kind]: { ...devices[kind], muted, state: failed ? devices[kind].state : state },
      },
    });
    this.#setCall(({ participants }) => ({
      participants: participants.map((one) =>
        one.isMe
          ? {
              ...one,
              [kind]: muted ? "muted" : "on",
              ...(kind === "camera" ? { pictures: muted ? [] : ["camera"] } : {}),
            }
          : one,
      ),
    }));
  }

  async setSound(switches: SoundSwitches): Promise<void> {
    await pause(40);
    this.#set({ sound: switches });
  }

  /** The first blurred frame follows after a moment, where there is a model. */
  async setBackground(chosen: BackgroundChoice): Promise<void> {
    await pause(40);
    const { problem } = this.#now.background;
    const isPending = chosen !== "none" && problem === null;
    this.#set({ background: { chosen, isPending, problem } });
    if (isPending) setTimeout(() => this.#set({ background: { chosen, isPending: false, problem } }), 400);
  }

  /** Answers when the tone begins, as the real one. */
  testSpeaker(): Promise<void> {
    return Promise.resolve();
  }

  async join(): Promise<void> {
    const { screen, devices, name } = this.#now;
    if (screen.kind !== "preJoin") return;
    const room = { id: screen.roomId ?? "new-room-abc", name: screen.title };
    const { demo } = screen;
    this.#set({
      screen: { kind: "room", demo },
      call: { ...inCall([]), phase: { kind: "joining" }, room: null },
    });
    await pause(250);
    this.#enteredAt = Date.now();
    const others =
      screen.roomId === null && !screen.demo ? [] : [person("Anna Lindqvist"), person("Ben Okafor")];
    this.#set({ call: { ...inCall([me(name, devices), ...others]), room } });
  }

  backToLobby(): Promise<void> {
    this.#set({ screen: { kind: "lobby" }, call: null });
    return Promise.resolve();
  }

  rejoin(): Promise<void> {
    const room = this.#now.call?.room;
    return this.openRoom(room?.id ?? "abc-defg-hij");
  }

  async enterPasscode(passcode: string): Promise<void> {
    await pause(300);
    const { name, devices } = this.#now;
    this.#setCall(() =>
      passcode === "1234" ? inCall([me(name, devices)]) : { phase: { kind: "passcodeNeeded", wrong: true } },
    );
  }

  readChat(known: number): Promise<ChatUpdate> {
    const messages = this.#now.call?.chat ?? [];
    const revision = this.#revision;
    return Promise.resolve(
      known === revision
        ? { revision, first: messages.length, messages: [] }
        : { revision, first: 0, messages },
    );
  }

  async sendChat(text: string): Promise<void> {
    if (text.length > 4_000) refuse({ kind: "refused", code: "message-too-large" satisfies ErrorCode });
    const mine = chat(`own-${this.#chats++}`, "me", text, { isMine: true, pending: true });
    this.#setCall((call) => ({ chat: [...call.chat, mine] }));
    await pause(200);
    this.#setCall((call) => ({
      chat: call.chat.map((one) => (one.id === mine.id ? { ...one, pending: false } : one)),
    }));
    await pause(300);
    this.#setCall((call) => ({
      chat: [...call.chat, chat(`reply-${this.#chats++}`, "Anna Lindqvist", "So do I.")],
    }));
  }

  async setVolume(participant: string, percent: number): Promise<void> {
    await pause(40);
    this.#setCall(({ participants }) => ({
      participants: participants.map((one) =>
        one.id === participant && !one.isMe ? { ...one, volume: Math.min(200, percent) } : one,
      ),
    }));
  }

  /** Figures that change with each reading, as real ones do. */
  async readStatistics(): Promise<ConnectionStatistics[]> {
    await pause(20);
    const others = this.#now.call?.participants.filter((one) => !one.isMe) ?? [];
    return others.map((one, i) => measured(one, i, Math.sin(performance.now() / 2_000 + i)));
  }

  async listScreens(): Promise<ShareChoice[]> {
    await pause(120);
    if (this.#scene === "room-no-sharing") {
      const detail = "this is a Wayland session";
      refuse({ kind: "cannotShare", problem: "failed", detail });
    }
    return screens;
  }

  async shareScreen(id: string | null): Promise<void> {
    await pause(80);
    if (id === null) {
      this.#set({ share: { kind: "off" } });
      return;
    }
    if (!this.#now.call?.mayPublish.includes("screen_share")) refuse({ kind: "refused", code: "forbidden" });
    const choice = screens.find((one) => one.id === id) ?? refuse({ kind: "nothingToShare" });
    if (choice.name === "") refuse({ kind: "nothingToShare" });
    this.#set({ share: { kind: "starting", choice } });
    await pause(200);
    this.#set({ share: { kind: "live", choice } });
  }

  async leave(): Promise<void> {
    await pause(250);
    const seconds = Math.round((Date.now() - this.#enteredAt) / 1_000);
    const roomId = this.#now.call?.room?.id ?? null;
    this.#setCall(() => ({ phase: { kind: "ended", reason: { kind: "left" } } }));
    this.#set({ screen: { kind: "ended", roomId, seconds } });
  }

  async invitation(): Promise<string> {
    await pause(20);
    const { hosted, shared } = this.#now.server;
    if (hosted && !shared) refuse({ kind: "notShared" });
    return `visavis://room/${this.#now.call?.room?.id ?? ""}?server=ws%3A%2F%2F192.0.2.17%3A7420`;
  }
}

export function fakeShell(name: string): Backend {
  return new FakeShell(name);
}

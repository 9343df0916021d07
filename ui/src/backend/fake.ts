// Plays the shell for development and page tests: `?fake=SCENE`. Never shipped.

import type { Backend, Mutable, VideoSocket } from "../backend";
import type { AppView } from "../generated/AppView";
import type { CallView } from "../generated/CallView";
import type { CommandError } from "../generated/CommandError";
import type { DeviceState } from "../generated/DeviceState";
import type { ErrorCode } from "../generated/ErrorCode";
import type { LevelView } from "../generated/LevelView";
import { DrawnPictures } from "./fake/pictures";
import { chat, inCall, me, person, scene } from "./fake/scenes";

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

  constructor(name: string) {
    this.#view = scene(name);
    if (name === "room-unplugged") setTimeout(() => this.#unplug(), 500);
  }

  get #now(): AppView {
    if (this.#view === null || "kind" in this.#view) throw new Error("there is no view");
    return this.#view;
  }

  #set(change: Partial<AppView>): void {
    const view = { ...this.#now, ...change };
    this.#view = view;
    this.#onView(view);
  }

  #setCall(change: (call: CallView) => Partial<CallView>): void {
    const { call } = this.#now;
    if (call) this.#set({ call: { ...call, ...change(call) } });
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
    return this.#now;
  }

  onView(listener: (view: AppView) => void): Promise<void> {
    this.#onView = listener;
    return Promise.resolve();
  }

  onLevel(listener: (level: LevelView) => void): Promise<void> {
    setInterval(() => {
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
    const id = /[a-z]{3}-[a-z]{4}-[a-z]{3}/.exec(text)?.[0] ?? refuse({ kind: "notARoom" });
    if (id === "non-eeee-non") refuse({ kind: "refused", code: "room-not-found" });
    const title = this.#now.recent.find((room) => room.id === id)?.name ?? id;
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

  newRoom(name: string): Promise<void> {
    this.#set({
      screen: { kind: "preJoin", roomId: null, title: name || "New room", demo: false, info: null },
    });
    return Promise.resolve();
  }

  tryDemo(): Promise<void> {
    this.#set({ screen: { kind: "preJoin", roomId: null, title: "Made-up people", demo: true, info: null } });
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
    const { devices } = this.#now;
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

  testSpeaker(): Promise<void> {
    return pause(900);
  }

  async join(): Promise<void> {
    const { screen, devices, name } = this.#now;
    if (screen.kind !== "preJoin") return;
    const room = { id: screen.roomId ?? "new-room-abc", name: screen.title };
    this.#set({ screen: { kind: "room" }, call: { ...inCall([]), phase: { kind: "joining" }, room: null } });
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

  async leave(): Promise<void> {
    await pause(250);
    const seconds = Math.round((Date.now() - this.#enteredAt) / 1_000);
    const roomId = this.#now.call?.room?.id ?? null;
    this.#setCall(() => ({ phase: { kind: "ended", reason: { kind: "left" } } }));
    this.#set({ screen: { kind: "ended", roomId, seconds } });
  }

  invitation(): Promise<string> {
    return Promise.resolve(
      `visavis://room/${this.#now.call?.room?.id ?? ""}?server=ws%3A%2F%2F192.0.2.17%3A7420`,
    );
  }
}

export function fakeShell(name: string): Backend {
  return new FakeShell(name);
}

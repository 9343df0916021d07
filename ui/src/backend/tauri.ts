import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { Backend } from "../backend";
import type { AppView } from "../generated/AppView";
import type { ChatUpdate } from "../generated/ChatUpdate";
import type { ConnectionStatistics } from "../generated/ConnectionStatistics";
import type { LevelView } from "../generated/LevelView";
import type { ShareChoice } from "../generated/ShareChoice";
import type { VideoEndpoint } from "../generated/VideoEndpoint";

/** The shell that this page runs in. */
export const tauri: Backend = {
  getView: () => invoke<AppView>("get_view"),
  async onView(listener) {
    await listen<AppView>("view", ({ payload }) => listener(payload));
  },
  async onStopped(listener) {
    await listen("stopped", () => listener());
  },
  restart: () => invoke("restart"),
  async onLevel(listener) {
    await listen<LevelView>("level", ({ payload }) => listener(payload));
  },
  openVideo: async () => new WebSocket((await invoke<VideoEndpoint>("video_endpoint")).url),

  setServer: (url) => invoke("set_server", { url }),
  shareOnNetwork: (shared) => invoke("share_on_network", { shared }),
  refreshRooms: () => invoke("refresh_rooms"),
  openRoom: (text) => invoke("open_room", { text }),
  openRecent: (server, room) => invoke("open_recent", { server, room }),
  answerLink: (accept) => invoke("answer_link", { accept }),
  setShortcuts: (on) => invoke("set_shortcuts", { on }),
  newRoom: (name, isPrivate) => invoke("new_room", { name, private: isPrivate }),
  tryDemo: () => invoke("try_demo"),
  setName: (name) => invoke("set_name", { name }),
  chooseDevice: (kind, id) => invoke("choose_device", { kind, id }),
  setMuted: (kind, muted) => invoke("set_muted", { kind, muted }),
  setSound: (switches) => invoke("set_sound", { switches }),
  setBackground: (choice) => invoke("set_background", { choice }),
  testSpeaker: () => invoke("test_speaker"),
  join: () => invoke("join"),
  backToLobby: () => invoke("back_to_lobby"),
  rejoin: () => invoke("rejoin"),
  enterPasscode: (passcode) => invoke("enter_passcode", { passcode }),
  readChat: (known) => invoke<ChatUpdate>("read_chat", { known }),
  sendChat: (text) => invoke("send_chat", { text }),
  setVolume: (participant, percent) => invoke("set_volume", { participant, percent }),
  readStatistics: () => invoke<ConnectionStatistics[]>("read_statistics"),
  listScreens: () => invoke<ShareChoice[]>("list_screens"),
  shareScreen: (id) => invoke("share_screen", { id }),
  leave: () => invoke("leave"),
  invitation: () => invoke<string>("invitation"),
};

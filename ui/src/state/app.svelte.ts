import { createContext } from "svelte";
import { commandError, type Backend } from "../backend";
import type { AppView } from "../generated/AppView";
import type { ChatView } from "../generated/ChatView";
import type { CommandError } from "../generated/CommandError";
import { VideoStream } from "../video/stream";
import { LevelMeter, type Meter } from "./meter";

/** What the page knows: the shell's newest view, and nothing of its own. */
export class App {
  readonly backend: Backend;
  readonly pictures: VideoStream;
  view = $state.raw<AppView | null>(null);
  /** The chat of the call, oldest first. */
  chat = $state.raw<readonly ChatView[]>([]);
  meter = $state.raw<Meter>({ level: 0, clipping: false, verdict: "silent", heard: false });
  /** Why there is no view. */
  failure = $state.raw<CommandError | null>(null);
  /** The shell has failed: the view stays as it was. */
  stopped = $state(false);
  readonly #levels = new LevelMeter();
  #chatRevision = 0;
  #readsChat = false;

  constructor(backend: Backend) {
    this.backend = backend;
    this.pictures = new VideoStream(() => backend.openVideo());
  }

  async start(): Promise<void> {
    try {
      await this.backend.onView((view) => this.#take(view));
      await this.backend.onStopped(() => (this.stopped = true));
      await this.backend.onLevel((level) => (this.meter = this.#levels.hear(level, performance.now())));
      const first = await this.backend.getView();
      // A view that was pushed meanwhile is newer.
      if (this.view === null) this.#take(first);
      this.pictures.start();
    } catch (thrown) {
      this.failure = commandError(thrown);
    }
  }

  #take(view: AppView): void {
    if (this.view && microphoneOf(this.view) !== microphoneOf(view)) {
      this.#levels.reset();
      this.meter = { level: 0, clipping: false, verdict: "silent", heard: false };
    }
    this.view = view;
    void this.#readChat();
  }

  /** One at a time: what comes meanwhile is read at once afterwards. */
  async #readChat(): Promise<void> {
    if (this.#readsChat) return;
    this.#readsChat = true;
    try {
      while (this.view && this.view.chat !== this.#chatRevision) {
        const { revision, first, messages } = await this.backend.readChat(this.#chatRevision);
        if (revision === this.#chatRevision) break;
        this.#chatRevision = revision;
        this.chat = [...this.chat.slice(0, first), ...messages];
      }
    } finally {
      this.#readsChat = false;
    }
  }
}

/** Changes when another microphone is used. */
function microphoneOf({ devices: { microphone } }: AppView): string {
  const { chosen, default: standard, missing, state } = microphone;
  return `${chosen ?? standard} ${missing} ${state.kind}`;
}

/** One command at a time: whether it is under way, and why it was refused. */
export class Ask {
  pending = $state(false);
  refused = $state.raw<CommandError | null>(null);

  /** Answers whether it was done. While one is under way another is not begun. */
  async run(command: () => Promise<void>): Promise<boolean> {
    if (this.pending) return false;
    this.pending = true;
    this.refused = null;
    try {
      await command();
      return true;
    } catch (thrown) {
      this.refused = commandError(thrown);
      return false;
    } finally {
      this.pending = false;
    }
  }
}

export const [useApp, provideApp] = createContext<App>();

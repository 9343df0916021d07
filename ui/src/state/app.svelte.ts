import { createContext } from "svelte";
import { commandError, type Backend } from "../backend";
import type { AppView } from "../generated/AppView";
import type { CommandError } from "../generated/CommandError";
import { VideoStream } from "../video/stream";
import { LevelMeter, type Meter } from "./meter";

/** What the page knows: the shell's newest view, and nothing of its own. */
export class App {
  readonly backend: Backend;
  readonly pictures: VideoStream;
  view = $state.raw<AppView | null>(null);
  meter = $state.raw<Meter>({ level: 0, clipping: false, verdict: "silent" });
  /** Why there is no view. */
  failure = $state.raw<CommandError | null>(null);

  constructor(backend: Backend) {
    this.backend = backend;
    this.pictures = new VideoStream(() => backend.openVideo());
  }

  async start(): Promise<void> {
    const meter = new LevelMeter();
    try {
      await this.backend.onView((view) => (this.view = view));
      await this.backend.onLevel((level) => (this.meter = meter.hear(level, performance.now())));
      const first = await this.backend.getView();
      // A view that was pushed meanwhile is newer.
      this.view ??= first;
      this.pictures.start();
    } catch (thrown) {
      this.failure = commandError(thrown);
    }
  }
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

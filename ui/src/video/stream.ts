// The pictures' socket: says which tiles there are, draws the newest picture
// of each in the next animation frame, and gives the shell its credit back, so
// that there is never more than one picture a tile on its way.

import type { VideoSocket } from "../backend";
import { readPacket, type Packet } from "./packet";

/** What a tile shows and at what size, in device pixels. */
export interface TileRequest {
  source: string;
  width: number;
  height: number;
}

export interface StreamTile extends TileRequest {
  /** Not shown: its sender stops sending. */
  hidden?: boolean;
  draw(packet: Packet): void;
}

/** The page's clock and frames; tests bring their own. */
export interface Frames {
  request(draw: () => void): void;
  after(milliseconds: number, run: () => void): void;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4_000;

export const pageFrames: Frames = {
  request: (draw) => void requestAnimationFrame(draw),
  after: (milliseconds, run) => void setTimeout(run, milliseconds),
};

export class VideoStream {
  readonly #open: () => Promise<VideoSocket>;
  readonly #frames: Frames;
  readonly #tiles = new Map<number, StreamTile>();
  readonly #undrawn = new Map<number, Packet>();
  #socket: VideoSocket | null = null;
  #retry = FIRST_RETRY_MS;
  #lastTile = 0;
  #listIsDue = false;
  #drawIsDue = false;

  constructor(open: () => Promise<VideoSocket>, frames: Frames = pageFrames) {
    this.#open = open;
    this.#frames = frames;
  }

  /** Opens the socket, and again whenever it is lost. */
  start(): void {
    this.#open().then(
      (socket) => this.#attach(socket),
      () => this.#again(),
    );
  }

  /** Adds a tile and answers its number: a new one for each, 1 to 255. */
  add(tile: StreamTile): number {
    do this.#lastTile = (this.#lastTile % 255) + 1;
    while (this.#tiles.has(this.#lastTile) && this.#tiles.size < 255);
    this.#tiles.set(this.#lastTile, tile);
    this.#tellTiles();
    return this.#lastTile;
  }

  /** Names a source that is not shown, so that nobody sends it; for `remove`. */
  hide(source: string): number {
    return this.add({ source, width: 0, height: 0, hidden: true, draw: () => undefined });
  }

  resize(number: number, width: number, height: number): void {
    const tile = this.#tiles.get(number);
    if (!tile || (tile.width === width && tile.height === height)) return;
    this.#tiles.set(number, { ...tile, width, height });
    this.#tellTiles();
  }

  remove(number: number): void {
    this.#tiles.delete(number);
    this.#undrawn.delete(number);
    this.#tellTiles();
  }

  #attach(socket: VideoSocket): void {
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#retry = FIRST_RETRY_MS;
      this.#socket = socket;
      this.#tellTiles();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      const packet = event.data instanceof ArrayBuffer ? readPacket(event.data) : null;
      if (packet) this.#take(packet);
    };
    socket.onclose = () => {
      this.#socket = null;
      this.#undrawn.clear();
      this.#again();
    };
  }

  #again(): void {
    this.#frames.after(this.#retry, () => this.start());
    this.#retry = Math.min(this.#retry * 2, LAST_RETRY_MS);
  }

  #take(packet: Packet): void {
    this.#undrawn.set(packet.tile, packet);
    if (this.#drawIsDue) return;
    this.#drawIsDue = true;
    this.#frames.request(() => {
      this.#drawIsDue = false;
      for (const due of this.#undrawn.values()) {
        this.#tiles.get(due.tile)?.draw(due);
        this.#socket?.send(Uint8Array.of(due.tile));
      }
      this.#undrawn.clear();
    });
  }

  /** Many tiles change in one layout: one list, after all of them have. */
  #tellTiles(): void {
    if (this.#listIsDue) return;
    this.#listIsDue = true;
    queueMicrotask(() => {
      this.#listIsDue = false;
      const tiles = [...this.#tiles].map(([tile, { source, width, height, hidden }]) => ({
        tile,
        source,
        width,
        height,
        ...(hidden ? { hidden } : {}),
      }));
      this.#socket?.send(JSON.stringify({ tiles }));
    });
  }
}

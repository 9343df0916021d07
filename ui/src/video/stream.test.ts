import { beforeEach, describe, expect, it } from "vitest";
import type { VideoSocket } from "../backend";
import { writePacket, type Packet } from "./packet";
import { VideoStream } from "./stream";

class Socket implements VideoSocket {
  binaryType: BinaryType = "blob";
  onopen: VideoSocket["onopen"] = null;
  onmessage: VideoSocket["onmessage"] = null;
  onclose: VideoSocket["onclose"] = null;
  readonly lists: unknown[] = [];
  readonly credits: number[] = [];

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (typeof data === "string") this.lists.push((JSON.parse(data) as { tiles: unknown }).tiles);
    else if (data instanceof Uint8Array) this.credits.push(...data);
  }

  close(): void {
    this.onclose?.call(this as unknown as WebSocket, new Event("close") as CloseEvent);
  }

  opened(): void {
    this.onopen?.call(this as unknown as WebSocket, new Event("open"));
  }

  push(packet: ArrayBuffer): void {
    this.onmessage?.call(this as unknown as WebSocket, new MessageEvent("message", { data: packet }));
  }
}

let sockets: Socket[];
let frames: (() => void)[];
let delays: number[];
let timers: (() => void)[];
let stream: VideoStream;

/** Lets every promise that can settle do so. */
const settle = () => new Promise((done) => setTimeout(done));

const shade = (tile: number, value: number): Packet => ({
  tile,
  width: 2,
  height: 2,
  mirrored: false,
  planes: new Uint8Array(6).fill(value),
});

beforeEach(async () => {
  [sockets, frames, delays, timers] = [[], [], [], []];
  stream = new VideoStream(
    () => {
      const socket = new Socket();
      sockets.push(socket);
      return Promise.resolve(socket);
    },
    {
      request: (draw) => frames.push(draw),
      after: (milliseconds, run) => {
        delays.push(milliseconds);
        timers.push(run);
      },
    },
  );
  stream.start();
  await settle();
});

describe("the pictures' socket", () => {
  it("tells all tiles once a layout", async () => {
    sockets[0]?.opened();
    const a = stream.add({ source: "me", width: 0, height: 0, draw: () => undefined });
    stream.add({ source: "anna", width: 0, height: 0, draw: () => undefined });
    stream.resize(a, 320, 180);
    await settle();
    expect(sockets[0]?.lists.at(-1)).toEqual([
      { tile: 1, source: "me", width: 320, height: 180 },
      { tile: 2, source: "anna", width: 0, height: 0 },
    ]);
    expect(sockets[0]?.lists).toHaveLength(1);
  });

  it("draws the newest picture of a tile and gives one credit for it", async () => {
    sockets[0]?.opened();
    const drawn: (number | undefined)[] = [];
    stream.add({ source: "me", width: 2, height: 2, draw: ({ planes }) => drawn.push(planes?.[0]) });
    await settle();
    sockets[0]?.push(writePacket(shade(1, 10)));
    sockets[0]?.push(writePacket(shade(1, 20)));
    expect(sockets[0]?.credits).toEqual([]);
    expect(frames).toHaveLength(1);
    frames[0]?.();
    expect(drawn).toEqual([20]);
    expect(sockets[0]?.credits).toEqual([1]);
  });

  it("does not stumble over garbage or a tile that is gone", () => {
    sockets[0]?.opened();
    sockets[0]?.push(new ArrayBuffer(3));
    sockets[0]?.push(writePacket(shade(9, 0)));
    frames.forEach((draw) => draw());
    expect(sockets[0]?.credits).toEqual([9]);
  });

  it("never gives a number to two tiles, even after many", () => {
    const first = stream.add({ source: "me", width: 0, height: 0, draw: () => undefined });
    for (let i = 0; i < 600; i++) {
      const other = stream.add({ source: "x", width: 0, height: 0, draw: () => undefined });
      expect(other).not.toBe(first);
      expect(other).toBeGreaterThanOrEqual(1);
      expect(other).toBeLessThanOrEqual(255);
      stream.remove(other);
    }
  });

  it("comes back by itself, later each time, and tells its tiles again", async () => {
    stream.add({ source: "me", width: 4, height: 4, draw: () => undefined });
    for (const delay of [250, 500, 1000, 2000, 4000, 4000]) {
      sockets.at(-1)?.close();
      expect(delays.at(-1)).toBe(delay);
      timers.at(-1)?.();
      await settle();
    }
    sockets.at(-1)?.opened();
    await settle();
    expect(sockets.at(-1)?.lists).toEqual([[{ tile: 1, source: "me", width: 4, height: 4 }]]);
    sockets.at(-1)?.close();
    expect(delays.at(-1)).toBe(250);
  });
});

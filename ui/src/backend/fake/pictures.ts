// A picture socket that draws its people itself, and keeps to the contract:
// one picture a tile for each credit, at the tile's size.

import type { VideoSocket } from "../../backend";
import type { ParticipantView } from "../../generated/ParticipantView";
import { pictureName, type VideoSource } from "../../state/room";
import { i420Bytes, writePacket } from "../../video/packet";

interface Tile {
  tile: number;
  source: string;
  width: number;
  height: number;
  hidden?: boolean;
}

const FRAME_MS = 66;
const VIDEO: readonly VideoSource[] = ["camera", "screen_share"];
const LOOKS = [
  { wall: ["#86a096", "#4f6f66"], skin: "#e6b796", hair: "#4a2b1b", shirt: "#2f4757" },
  { wall: ["#c49a73", "#866245"], skin: "#8b5a3c", hair: "#1d1310", shirt: "#c8553d" },
  { wall: ["#8e93b3", "#4f5577"], skin: "#d9a57d", hair: "#2a2220", shirt: "#6b4a7a" },
  { wall: ["#b2aa97", "#6f675b"], skin: "#d9a57d", hair: "#7a4b22", shirt: "#22223a" },
] as const;

/** RGBA to I420, BT.601 in the limited range. */
function i420({ data, width, height }: ImageData): Uint8Array {
  const planes = new Uint8Array(i420Bytes(width, height));
  const chromaWidth = (width + 1) >> 1;
  const u = width * height;
  const v = u + chromaWidth * ((height + 1) >> 1);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      const [r, g, b] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
      planes[y * width + x] = ((66 * r + 129 * g + 25 * b + 128) >> 8) + 16;
      if ((x | y) & 1) continue;
      const chroma = (y >> 1) * chromaWidth + (x >> 1);
      planes[u + chroma] = ((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128;
      planes[v + chroma] = ((112 * r - 94 * g - 18 * b + 128) >> 8) + 128;
    }
  }
  return planes;
}

/** A page of a document, for a shared screen. */
function drawScreen(context: OffscreenCanvasRenderingContext2D, width: number, height: number): void {
  const unit = height / 100;
  context.fillStyle = "#c9d2d6";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#ffffff";
  context.fillRect(width * 0.12, unit * 8, width * 0.76, unit * 92);
  context.fillStyle = "#22404a";
  context.font = `600 ${unit * 7}px sans-serif`;
  context.fillText("Quarterly numbers", width * 0.17, unit * 22);
  context.font = `${unit * 3.4}px sans-serif`;
  for (let line = 0; line < 5; line++)
    context.fillText(
      "Visitors, orders and returns, by month and by country.",
      width * 0.17,
      unit * (32 + line * 6),
    );
  [38, 22, 30, 44, 34].forEach((bar, i) => {
    context.fillStyle = i === 3 ? "#0e7a6b" : "#a7c7c0";
    context.fillRect(width * (0.18 + i * 0.13), unit * (96 - bar * 0.7), width * 0.09, unit * bar * 0.7);
  });
}

function draw(source: string, width: number, height: number, time: number): Uint8Array {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) return new Uint8Array(i420Bytes(width, height));
  if (source.startsWith("screen:")) {
    drawScreen(context, width, height);
    return i420(context.getImageData(0, 0, width, height));
  }
  const look = LOOKS[source === "me" ? 3 : source.length % 3] ?? LOOKS[0];
  const wall = context.createLinearGradient(0, 0, width, height);
  wall.addColorStop(0, look.wall[0]);
  wall.addColorStop(1, look.wall[1]);
  context.fillStyle = wall;
  context.fillRect(0, 0, width, height);
  context.fillStyle = "rgb(255 255 255 / 20%)";
  context.fillRect(width * 0.06, height * 0.12, width * 0.15, height * 0.4);
  const unit = height / 100;
  context.translate(width / 2 + Math.sin(time / 900 + source.length) * 3 * unit, height);
  context.fillStyle = look.shirt;
  context.beginPath();
  context.ellipse(0, 0, 41 * unit, 34 * unit, 0, 0, Math.PI * 2);
  context.fill();
  context.fillStyle = look.skin;
  context.fillRect(-8 * unit, -42 * unit, 16 * unit, 16 * unit);
  context.beginPath();
  context.ellipse(0, -53 * unit, 18 * unit, 21 * unit, 0, 0, Math.PI * 2);
  context.fill();
  context.fillStyle = look.hair;
  context.beginPath();
  context.ellipse(0, -64 * unit, 19 * unit, 15 * unit, 0, Math.PI, Math.PI * 2);
  context.fill();
  return i420(context.getImageData(0, 0, width, height));
}

export class DrawnPictures implements VideoSocket {
  binaryType: BinaryType = "blob";
  onopen: VideoSocket["onopen"] = null;
  onmessage: VideoSocket["onmessage"] = null;
  onclose: VideoSocket["onclose"] = null;
  readonly #people: () => ParticipantView[];
  readonly #credits = new Set<number>();
  #tiles: Tile[] = [];

  constructor(people: () => ParticipantView[]) {
    this.#people = people;
    setTimeout(() => {
      this.onopen?.call(this as unknown as WebSocket, new Event("open"));
    });
    setInterval(() => this.#frame(), FRAME_MS);
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (typeof data === "string") {
      const before = new Set(this.#tiles.map(({ tile }) => tile));
      this.#tiles = (JSON.parse(data) as { tiles: Tile[] }).tiles;
      // What is asked of the others, for tests.
      Object.assign(globalThis, { askedTiles: this.#tiles });
      for (const { tile } of this.#tiles) if (!before.has(tile)) this.#credits.add(tile);
    } else if (data instanceof Uint8Array) {
      for (const tile of data) this.#credits.add(tile);
    }
  }

  close(): void {
    this.#tiles = [];
  }

  #frame(): void {
    for (const { tile, source, width, height, hidden } of this.#tiles) {
      if (hidden || width === 0 || height === 0 || !this.#credits.delete(tile)) continue;
      const isMe = source === "me";
      const present =
        isMe ||
        this.#people().some((one) =>
          VIDEO.some((kind) => one.pictures.includes(kind) && pictureName(one, kind) === source),
        );
      const scale = Math.min(640, width, (height * 16) / 9) / 16;
      const size = { width: Math.round(16 * scale), height: Math.round(9 * scale) };
      const planes = present ? draw(source, size.width, size.height, performance.now()) : null;
      const data = writePacket({ tile, ...size, mirrored: isMe, planes });
      this.onmessage?.call(this as unknown as WebSocket, new MessageEvent("message", { data }));
    }
  }
}

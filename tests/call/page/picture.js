// What is seen in a received track: its frames' times.
// Only Chromium gives a page the frames of a track; elsewhere nothing is read.

import { readDelay } from "./timecode.js";

/** Delays kept for the percentiles: about a minute at 30 frames a second. */
const KEPT = 2000;

export class Picture {
  #track;
  #delays = [];
  #firstFrame = null;
  #timeCodes = 0;

  /** With `all`, the delay of each frame is read, else only the first frame's time. */
  constructor(track, all) {
    this.#track = track;
    if (!("MediaStreamTrackProcessor" in window)) return;
    this.#read(new MediaStreamTrackProcessor({ track }).readable.getReader(), all);
  }

  /** The newest frame's luma, as base64 of rows of its width. */
  async frame() {
    const track = this.#track.clone();
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    const { value: frame } = await reader.read();
    track.stop();
    if (!frame) return null;
    const [width, height] = [frame.codedWidth, frame.codedHeight];
    const pixels = new Uint8Array(frame.allocationSize());
    const [{ offset, stride }] = await frame.copyTo(pixels);
    frame.close();
    const luma = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      const start = offset + y * stride;
      luma.set(pixels.subarray(start, start + width), y * width);
    }
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(new Blob([luma]));
    });
    return { width, height, luma: url.slice(url.indexOf(",") + 1) };
  }

  forgetDelays() {
    this.#delays = [];
  }

  stats(since) {
    const sorted = [...this.#delays].sort((one, other) => one - other);
    const at = (share) => sorted[Math.floor(share * (sorted.length - 1))] ?? null;
    return {
      firstFrameMs: this.#firstFrame === null ? null : this.#firstFrame - since,
      timeCodes: this.#timeCodes,
      delayMsP50: at(0.5),
      delayMsP95: at(0.95),
      delayMsMax: at(1),
    };
  }

  async #read(frames, all) {
    const surface = new OffscreenCanvas(1, 1);
    const context = surface.getContext("2d", { willReadFrequently: true });
    for (let next = await frames.read(); !next.done; next = await frames.read()) {
      const frame = next.value;
      const [width, height] = [frame.displayWidth, frame.displayHeight];
      this.#firstFrame ??= performance.now();
      if (!all) {
        frame.close();
        await frames.cancel();
        return;
      }
      if (surface.width !== width) [surface.width, surface.height] = [width, Math.ceil(height / 9)];
      context.drawImage(frame, 0, 0);
      frame.close();
      const delay = readDelay(context, width, height, Date.now());
      if (delay === null) continue;
      this.#timeCodes += 1;
      this.#delays.push(delay);
      if (this.#delays.length > KEPT) this.#delays.shift();
    }
  }
}

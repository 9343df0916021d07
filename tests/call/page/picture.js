// What is seen in a received track: its frames' times.
// Only Chromium gives a page the frames of a track; elsewhere nothing is read.

import { readDelay } from "./timecode.js";

/** Delays kept for the percentiles: about a minute at 30 frames a second. */
const KEPT = 2000;

export class Picture {
  #delays = [];
  #firstFrame = null;
  #timeCodes = 0;

  constructor(track) {
    if (!("MediaStreamTrackProcessor" in window)) return;
    this.#read(new MediaStreamTrackProcessor({ track }).readable.getReader());
  }

  stats(since) {
    const sorted = [...this.#delays].sort((one, other) => one - other);
    const at = (share) => sorted[Math.floor(share * (sorted.length - 1))] ?? null;
    return {
      firstFrameMs: this.#firstFrame === null ? null : this.#firstFrame - since,
      timeCodes: this.#timeCodes,
      delayMsP50: at(0.5),
      delayMsP95: at(0.95),
    };
  }

  async #read(frames) {
    const surface = new OffscreenCanvas(1, 1);
    const context = surface.getContext("2d", { willReadFrequently: true });
    for (let next = await frames.read(); !next.done; next = await frames.read()) {
      const frame = next.value;
      const [width, height] = [frame.displayWidth, frame.displayHeight];
      this.#firstFrame ??= performance.now();
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

// What a participant sends.

import { drawTime, writeTime } from "./timecode.js";

export async function camera(size, audio, processing = false) {
  const video = size && { width: size.width, height: size.height, frameRate: size.fps };
  const stream = await navigator.mediaDevices.getUserMedia({
    video: video ?? false,
    audio: audio && {
      echoCancellation: processing,
      noiseSuppression: processing,
      autoGainControl: processing,
    },
  });
  return stream.getTracks();
}

/** A camera's track with the time code in each frame; another track as it is. */
export function timed(track) {
  if (track.kind !== "video") return track;
  const generator = new MediaStreamTrackGenerator({ kind: "video" });
  const stamp = new TransformStream({
    async transform(frame, controller) {
      const [width, height] = [frame.codedWidth, frame.codedHeight];
      const pixels = new Uint8Array(frame.allocationSize());
      const [luma] = await frame.copyTo(pixels);
      writeTime(pixels, luma, width, height, Date.now());
      const { format, timestamp } = frame;
      const init = { format, timestamp, codedWidth: width, codedHeight: height };
      frame.close();
      controller.enqueue(new VideoFrame(pixels, init));
    },
  });
  const frames = new MediaStreamTrackProcessor({ track }).readable;
  frames.pipeThrough(stamp).pipeTo(generator.writable);
  return generator;
}

/** A track of detail that moves, made without a screen, so that a page in the
    background draws as fast as one in front. */
export function canvas({ width, height, fps }) {
  const surface = new OffscreenCanvas(width, height);
  const context = surface.getContext("2d");
  const detail = texture(2 * width, 2 * height);
  const track = new MediaStreamTrackGenerator({ kind: "video" });
  const writer = track.writable.getWriter();
  setInterval(() => {
    const seconds = performance.now() / 1000;
    const swing = (period) => 0.5 - 0.5 * Math.cos((2 * Math.PI * seconds) / period);
    context.drawImage(detail, -width * swing(7), -height * swing(5));
    context.fillStyle = `hsl(${(seconds * 40) % 360} 70% 50%)`;
    context.beginPath();
    context.arc(width * (0.2 + 0.6 * swing(3)), height * 0.6, height / 6, 0, 2 * Math.PI);
    context.fill();
    drawTime(context, width, height, Date.now());
    // A writer that is behind loses this picture, as a camera would.
    if (writer.desiredSize > 0) {
      writer.write(new VideoFrame(surface, { timestamp: Math.round(seconds * 1e6) }));
    }
  }, 1000 / fps);
  return track;
}

function texture(width, height) {
  const surface = new OffscreenCanvas(width, height);
  const context = surface.getContext("2d");
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let patch = 0; patch < 1500; patch++) {
    context.fillStyle = `hsl(${random() * 360} 45% ${20 + random() * 60}%)`;
    context.fillRect(random() * width, random() * height, random() * 60, random() * 40);
  }
  return surface;
}

// A canvas that shows one participant's picture. Drawing is plain 2D: on
// software rendering it costs less than WebGL, it needs no GPU, and pictures
// come at the tile's own size, so the work is bounded by the window's area.

import type { Attachment } from "svelte/attachments";
import { pictureBox } from "../layout/grid";
import { i420ToRgba } from "./i420";
import type { Packet } from "./packet";
import type { VideoStream } from "./stream";

function painter(canvas: HTMLCanvasElement): (packet: Packet) => void {
  const context = canvas.getContext("2d", { alpha: false });
  let image: ImageData | null = null;
  return ({ width, height, planes }) => {
    if (!context || !planes) return;
    if (image?.width !== width || image.height !== height) {
      canvas.width = width;
      canvas.height = height;
      image = context.createImageData(width, height);
    }
    i420ToRgba(planes, width, height, image.data);
    context.putImageData(image, 0, 0);
  };
}

/**
 * Feeds a canvas with the pictures of `source` ("me" or a participant's id) at
 * the canvas's size on the screen. `onPicture` hears of each that was drawn.
 */
export function picture(
  stream: VideoStream,
  source: string,
  onPicture: (packet: Packet) => void,
): Attachment<HTMLCanvasElement> {
  return (canvas) => {
    const paint = painter(canvas);
    const number = stream.add({
      source,
      width: 0,
      height: 0,
      draw(packet) {
        paint(packet);
        onPicture(packet);
      },
    });
    const observer = new ResizeObserver(([entry]) => {
      if (!entry) return;
      const { width, height } = entry.contentRect;
      const box = pictureBox(width * devicePixelRatio, height * devicePixelRatio);
      stream.resize(number, box.width, box.height);
    });
    observer.observe(canvas);
    return () => {
      observer.disconnect();
      stream.remove(number);
    };
  };
}

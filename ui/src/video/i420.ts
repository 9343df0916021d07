// Colours of a picture: I420 to RGBA, BT.601 in the limited range, as the
// capture side converts them (ITU-R BT.601-7, section 2.5.3; 8 bits of fraction).

/** Converts tightly packed planes; `rgba` holds 4 bytes a pixel and clamps by itself. */
export function i420ToRgba(planes: Uint8Array, width: number, height: number, rgba: Uint8ClampedArray): void {
  const chromaWidth = (width + 1) >> 1;
  const uStart = width * height;
  const vStart = uStart + chromaWidth * ((height + 1) >> 1);
  let at = 0;
  let luma = 0;
  for (let row = 0; row < height; row++) {
    const chroma = (row >> 1) * chromaWidth;
    for (let column = 0; column < width; column++) {
      const c = chroma + (column >> 1);
      const y = 298 * ((planes[luma++] as number) - 16) + 128;
      const u = (planes[uStart + c] as number) - 128;
      const v = (planes[vStart + c] as number) - 128;
      rgba[at] = (y + 409 * v) >> 8;
      rgba[at + 1] = (y - 100 * u - 208 * v) >> 8;
      rgba[at + 2] = (y + 516 * u) >> 8;
      rgba[at + 3] = 255;
      at += 4;
    }
  }
}

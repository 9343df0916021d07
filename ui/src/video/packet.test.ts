import { describe, expect, it } from "vitest";
import { i420ToRgba } from "./i420";
import { i420Bytes, readPacket, writePacket, type Packet } from "./packet";

const picture = (width: number, height: number): Packet => ({
  tile: 7,
  width,
  height,
  mirrored: true,
  planes: Uint8Array.from({ length: i420Bytes(width, height) }, (_, i) => i % 251),
});

describe("a packet", () => {
  it("is read back as it was written, odd sizes too", () => {
    for (const packet of [picture(4, 2), picture(5, 3), picture(1, 1)]) {
      expect(readPacket(writePacket(packet))).toEqual(packet);
    }
  });

  it("can say that there is no picture", () => {
    const none: Packet = { tile: 1, width: 0, height: 0, mirrored: false, planes: null };
    expect(readPacket(writePacket(none))).toEqual(none);
  });

  it("is little endian", () => {
    expect([...new Uint8Array(writePacket({ ...picture(2, 2), planes: null }))]).toEqual([
      7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
    ]);
  });

  it("that is cut off, too long or of no tile is refused", () => {
    const whole = writePacket(picture(4, 4));
    for (let length = 0; length < whole.byteLength; length++) {
      expect(readPacket(whole.slice(0, length))).toBeNull();
    }
    const longer = new Uint8Array(whole.byteLength + 1);
    longer.set(new Uint8Array(whole));
    expect(readPacket(longer.buffer)).toBeNull();
    expect(readPacket(writePacket({ ...picture(2, 2), tile: 0 }))).toBeNull();
    expect(readPacket(writePacket({ ...picture(2, 2), tile: 256 }))).toBeNull();
  });
});

describe("colours", () => {
  it.each([
    { name: "black", yuv: [16, 128, 128], rgb: [0, 0, 0] },
    { name: "white", yuv: [235, 128, 128], rgb: [255, 255, 255] },
    { name: "grey", yuv: [126, 128, 128], rgb: [128, 128, 128] },
    { name: "red", yuv: [81, 90, 240], rgb: [255, 0, 0] },
    { name: "green", yuv: [145, 54, 34], rgb: [0, 255, 0] },
    { name: "blue", yuv: [41, 240, 110], rgb: [0, 0, 255] },
  ])("of $name come out", ({ yuv: [y, u, v], rgb }) => {
    const [width, height] = [3, 3];
    const planes = new Uint8Array(i420Bytes(width, height));
    planes
      .fill(y as number, 0, 9)
      .fill(u as number, 9, 13)
      .fill(v as number, 13);
    const rgba = new Uint8ClampedArray(width * height * 4);
    i420ToRgba(planes, width, height, rgba);
    for (let pixel = 0; pixel < 9; pixel++) {
      rgb.forEach((value, i) => expect(Math.abs((rgba[pixel * 4 + i] as number) - value)).toBeLessThan(3));
      expect(rgba[pixel * 4 + 3]).toBe(255);
    }
  });
});

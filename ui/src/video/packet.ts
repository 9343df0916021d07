// One picture on its way from the shell, as docs/desktop-contract.md has it.

/** Little endian: tile, width, height, flags; 32 bits each. */
const HEADER_BYTES = 16;
const MIRRORED = 1;
const NO_PICTURE = 2;

export interface Packet {
  tile: number;
  /** Pixels. */
  width: number;
  height: number;
  /** To be shown as in a mirror. */
  mirrored: boolean;
  /** I420, tightly packed; null where the tile has no picture now. */
  planes: Uint8Array | null;
}

/** The bytes of an I420 picture; planes of colour are rounded up. */
export function i420Bytes(width: number, height: number): number {
  return width * height + 2 * ((width + 1) >> 1) * ((height + 1) >> 1);
}

/** Reads a packet without copying; null if it is none. */
export function readPacket(buffer: ArrayBuffer): Packet | null {
  if (buffer.byteLength < HEADER_BYTES) return null;
  const header = new DataView(buffer);
  const [tile, width, height, flags] = [0, 4, 8, 12].map((at) => header.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  if (tile < 1 || tile > 255) return null;
  const mirrored = (flags & MIRRORED) !== 0;
  if ((flags & NO_PICTURE) !== 0) return { tile, width, height, mirrored, planes: null };
  const fits = width > 0 && height > 0 && buffer.byteLength === HEADER_BYTES + i420Bytes(width, height);
  return fits ? { tile, width, height, mirrored, planes: new Uint8Array(buffer, HEADER_BYTES) } : null;
}

/** The other direction of {@link readPacket}; the fake backend speaks so. */
export function writePacket(packet: Packet): ArrayBuffer {
  const buffer = new ArrayBuffer(HEADER_BYTES + (packet.planes?.length ?? 0));
  const flags = (packet.mirrored ? MIRRORED : 0) | (packet.planes ? 0 : NO_PICTURE);
  const header = new DataView(buffer);
  [packet.tile, packet.width, packet.height, flags].forEach((value, i) =>
    header.setUint32(4 * i, value, true),
  );
  if (packet.planes) new Uint8Array(buffer, HEADER_BYTES).set(packet.planes);
  return buffer;
}

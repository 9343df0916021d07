// The time in a picture: the top ninth is a row of 32 cells, black 0 and white
// 1; the low 24 bits of Unix milliseconds, least significant first, then the
// CRC-8 (polynomial 0x07) of those bits in that order.

const CELLS = 32;
const TIME_BITS = 24;
const TIME_MASK = 0xffffff;
const DARK = 104;
const LIGHT = 147;

function crc8(bits) {
  let crc = 0;
  for (let place = 0; place < TIME_BITS; place++) {
    const feedback = (crc >> 7) ^ ((bits >> place) & 1);
    crc = ((crc << 1) & 0xff) ^ (feedback * 0x07);
  }
  return crc;
}

export function drawTime(context, width, height, unixMs) {
  const bits = unixMs % (TIME_MASK + 1);
  const cells = bits + crc8(bits) * 2 ** TIME_BITS;
  for (let cell = 0; cell < CELLS; cell++) {
    const left = Math.ceil((cell * width) / CELLS);
    const right = Math.ceil(((cell + 1) * width) / CELLS);
    context.fillStyle = Math.floor(cells / 2 ** cell) % 2 ? "#fff" : "#000";
    context.fillRect(left, 0, right - left, Math.floor(height / 9));
  }
}

/** The same in a plane of luma: it begins at `offset` of the pixels, and a row is
    `stride` long. */
export function writeTime(pixels, { offset, stride }, width, height, unixMs) {
  const bits = unixMs % (TIME_MASK + 1);
  const cells = bits + crc8(bits) * 2 ** TIME_BITS;
  const row = new Uint8Array(width);
  for (let x = 0; x < width; x++) {
    const cell = Math.floor((x * CELLS) / width);
    row[x] = Math.floor(cells / 2 ** cell) % 2 ? 235 : 16;
  }
  for (let y = 0; y < Math.floor(height / 9); y++) pixels.set(row, offset + y * stride);
}

/** Milliseconds since the picture was drawn; null where it bears no time. */
export function readDelay(context, width, height, nowUnixMs) {
  const row = context.getImageData(0, Math.floor(height / 18), width, 1).data;
  let bits = 0;
  let crc = 0;
  for (let cell = 0; cell < CELLS; cell++) {
    const left = Math.ceil(((cell + 0.25) * width) / CELLS);
    const right = Math.floor(((cell + 0.75) * width) / CELLS);
    let sum = 0;
    for (let x = left; x < right; x++) sum += row[4 * x + 1];
    const mean = sum / (right - left);
    if (!(mean < DARK || mean > LIGHT)) return null;
    const one = mean > LIGHT ? 1 : 0;
    if (cell < TIME_BITS) bits |= one << cell;
    else crc |= one << (cell - TIME_BITS);
  }
  if (bits === 0 || crc8(bits) !== crc) return null;
  return (nowUnixMs - bits) & TIME_MASK;
}

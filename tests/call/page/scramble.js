// Garbage in place of encoded media: whole frames of random bytes but for the
// first few, by which the browser cuts a frame into packets.

const KEPT = 10;

onrtctransform = ({ transformer }) => {
  const garble = new TransformStream({
    transform(frame, controller) {
      const bytes = new Uint8Array(frame.data);
      crypto.getRandomValues(bytes.subarray(Math.min(KEPT, bytes.length)));
      frame.data = bytes.buffer;
      controller.enqueue(frame);
      postMessage(null);
    },
  });
  transformer.readable.pipeThrough(garble).pipeTo(transformer.writable);
};

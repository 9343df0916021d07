// A participant in a browser that speaks the plain room protocol and nothing
// else. The query says what it does:
//   server=ws://HOST:PORT/PATH  room=ID | create=NAME
//   codec=h264|vp8       the only one it negotiates; else the browser's choice
//   source=camera|canvas|none   canvas: detail that moves, with its time code
//   width, height, fps   of either source
//   timed=1              the camera's frames get their time code, too
//   audio=0              sends no sound
//   processing=1         the microphone's echo, noise and level are corrected
//   kbps=N               the most that each video sender sends
//   delays=0             only the first received frame is looked at, not each
//   scramble=1           sends encoded frames whose insides are random
// What a test asks: window.stats(), window.leave(), window.frame(PEER), which gives the
// newest received frame's luma, window.forgetDelays(), and what a person would do:
// window.mute(true), window.camera(false), window.addCamera(), window.addSecond(),
// window.restartIce().

import { Participant } from "./participant.js";
import { camera, canvas, timed } from "./sources.js";

const query = new URLSearchParams(location.search);

const size = {
  width: Number(query.get("width") ?? 320),
  height: Number(query.get("height") ?? 180),
  fps: Number(query.get("fps") ?? 15),
};

async function localTracks() {
  const audio = query.get("audio") !== "0";
  const processing = query.get("processing") === "1";
  switch (query.get("source") ?? "camera") {
    case "camera": {
      const tracks = await camera(size, audio, processing);
      return query.get("timed") === "1" ? tracks.map(timed) : tracks;
    }
    case "canvas":
      return [canvas(size), ...(audio ? await camera(null, true, processing) : [])];
    default:
      return audio ? camera(null, true, processing) : [];
  }
}

const participant = localTracks().then((tracks) => {
  const participant = new Participant({
    tracks,
    codec: query.get("codec"),
    scramble: query.get("scramble") === "1",
    kbps: Number(query.get("kbps")),
    delays: query.get("delays") !== "0",
  });
  participant.enter(query.get("server"), query.get("room"), query.get("create"));
  return participant;
});

window.stats = async () => (await participant).stats();
window.frame = async (peer) => (await participant).peers.get(peer)?.frame();
window.forgetDelays = async () => {
  for (const peer of (await participant).peers.values()) peer.forgetDelays();
};
window.leave = async () => (await participant).leave();
window.mute = async (muted) => (await participant).mute(muted);
window.camera = async (on) => (await participant).camera(on);
window.addCamera = async () => (await participant).add((await camera(size, false))[0]);
window.addSecond = window.addCamera;
window.restartIce = async () => (await participant).restartIce();

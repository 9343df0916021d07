// A participant in a browser that speaks the plain room protocol and nothing
// else. The query says what it does:
//   server=ws://HOST:PORT/PATH  room=ID | create=NAME
//   codec=h264|vp8       the only one it negotiates; else the browser's choice
//   source=camera|canvas|none   canvas: detail that moves, with its time code
//   width, height, fps   of either source
//   audio=0              sends no sound
//   scramble=1           sends encoded frames whose insides are random
// What a test asks: window.stats(), window.leave(), and what a person would do:
// window.mute(true), window.camera(false), window.addCamera(), window.addSecond(),
// window.restartIce().

import { Participant } from "./participant.js";
import { camera, canvas } from "./sources.js";

const query = new URLSearchParams(location.search);

const size = {
  width: Number(query.get("width") ?? 320),
  height: Number(query.get("height") ?? 180),
  fps: Number(query.get("fps") ?? 15),
};

async function localTracks() {
  const audio = query.get("audio") !== "0";
  switch (query.get("source") ?? "camera") {
    case "camera":
      return camera(size, audio);
    case "canvas":
      return [canvas(size), ...(audio ? await camera(null, true) : [])];
    default:
      return audio ? camera(null, true) : [];
  }
}

const participant = localTracks().then((tracks) => {
  const participant = new Participant({
    tracks,
    codec: query.get("codec"),
    scramble: query.get("scramble") === "1",
  });
  participant.enter(query.get("server"), query.get("room"), query.get("create"));
  return participant;
});

window.stats = async () => (await participant).stats();
window.leave = async () => (await participant).leave();
window.mute = async (muted) => (await participant).mute(muted);
window.camera = async (on) => (await participant).camera(on);
window.addCamera = async () => (await participant).add((await camera(size, false))[0]);
window.addSecond = window.addCamera;
window.restartIce = async () => (await participant).restartIce();

// A participant for tests.

import type { ParticipantView } from "../generated/ParticipantView";

export const person = (id: string, rest: Partial<ParticipantView> = {}): ParticipantView => ({
  id,
  name: id,
  isMe: false,
  role: "participant",
  connection: "connected",
  microphone: "on",
  camera: "on",
  screenShare: "absent",
  problem: null,
  speaking: false,
  volume: 100,
  quality: null,
  pictures: ["camera"],
  ...rest,
});

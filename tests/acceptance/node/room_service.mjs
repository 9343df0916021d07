// Calls a service through the SDK's client, whose methods take arguments and
// give parts of answers where LiveKit's API has requests and answers.
import { DataPacket_Kind, RoomServiceClient } from "livekit-server-sdk";
import { question, answer } from "./question.mjs";

const client = new RoomServiceClient(question.url, question.key, question.secret);

const calls = {
  CreateRoom: (r) => client.createRoom(r),
  ListRooms: async (r) => ({ rooms: await client.listRooms(r.names) }),
  DeleteRoom: (r) => client.deleteRoom(r.room),
  UpdateRoomMetadata: (r) => client.updateRoomMetadata(r.room, r.metadata),
  ListParticipants: async (r) => ({ participants: await client.listParticipants(r.room) }),
  GetParticipant: (r) => client.getParticipant(r.room, r.identity),
  RemoveParticipant: (r) => client.removeParticipant(r.room, r.identity),
  MutePublishedTrack: async (r) => ({
    track: await client.mutePublishedTrack(r.room, r.identity, r.trackSid, r.muted),
  }),
  UpdateParticipant: ({ room, identity, ...changes }) =>
    client.updateParticipant(room, identity, changes),
  SendData: ({ room, data, kind = "RELIABLE", ...options }) =>
    client.sendData(room, Buffer.from(data, "base64"), DataPacket_Kind[kind], options),
};

const answers = [];
for (const { rpc, request } of question.calls) {
  try {
    answers.push({ ok: (await calls[rpc](request)) ?? {} });
  } catch ({ status, code, message }) {
    answers.push({ error: { status, code, message } });
  }
}
answer({ answers });

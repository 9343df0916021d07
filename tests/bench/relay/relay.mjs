// The peer of `cargo xtask bench server`: the small relay that one writes with
// the `ws` package when one needs signalling and nothing else. It speaks the
// plain protocol of docs/protocol.md. Rooms are in memory; nothing is stored,
// limited, logged, resumed or kept alive.

import { randomInt, randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

/** id → room {id, name, limit, members: Map of id → client}. */
const rooms = new Map();

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  clientTracking: false,
  maxPayload: 1024 * 1024,
});
server.on('listening', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
server.on('connection', (socket) => {
  const client = { id: randomUUID(), socket, room: null };
  socket.on('message', (data, binary) => hear(client, data, binary));
  socket.on('close', () => leave(client));
  socket.on('error', () => socket.terminate());
  tell(client, { type: 'client-id', id: client.id });
});
process.on('SIGTERM', () => process.exit());

function hear(client, data, binary) {
  try {
    answer(client, binary ? null : JSON.parse(data));
  } catch {
    refuse(client, 'bad-message');
  }
}

function answer(client, { type, roomId, to, payload }) {
  switch (type) {
    case 'create-room':
      return create(client, payload);
    case 'join-room':
      return join(client, payload);
    case 'leave-room':
      return leave(client);
    case 'offer':
    case 'answer':
    case 'ice-candidate':
      return relay(client, type, to, payload);
    case 'chat':
      return chat(client, payload);
    case 'list-rooms':
      return list(client);
    default:
      return refuse(client, 'unknown-type', roomId);
  }
}

function create(client, { name, maxParticipants = 0 }) {
  if (client.room) return refuse(client, 'already-in-room');
  const room = { id: roomCode(), name, limit: maxParticipants, members: new Map() };
  rooms.set(room.id, room);
  enter(client, room);
  const createdAt = new Date().toISOString();
  const participants = [client.id];
  const { id } = room;
  tell(client, { type: 'room-created', room: { id, name, createdAt, host: client.id, maxParticipants, participants } });
}

function join(client, { roomId }) {
  if (client.room) return refuse(client, 'already-in-room', roomId);
  const room = rooms.get(roomId);
  if (!room) return refuse(client, 'room-not-found', roomId);
  if (room.limit && room.members.size >= room.limit) return refuse(client, 'room-full', roomId);
  enter(client, room);
  const participants = [...room.members.keys()];
  tell(client, { type: 'room-joined', room: { id: roomId, participants } });
  tellAll(room, { type: 'member-joined', roomId, memberId: client.id, participants }, client);
}

function enter(client, room) {
  room.members.set(client.id, client);
  client.room = room;
}

function leave(client) {
  const { room } = client;
  if (!room) return;
  client.room = null;
  room.members.delete(client.id);
  if (room.members.size === 0) return void rooms.delete(room.id);
  const participants = [...room.members.keys()];
  tellAll(room, { type: 'member-left', roomId: room.id, memberId: client.id, participants });
}

function relay(client, type, to, payload) {
  if (!client.room) return refuse(client, 'not-in-room');
  const member = client.room.members.get(to);
  if (!member) return refuse(client, 'member-not-found', client.room.id);
  tell(member, { type, from: client.id, payload });
}

function chat(client, payload) {
  const { room } = client;
  if (!room) return refuse(client, 'not-in-room');
  tellAll(room, { type: 'chat', roomId: room.id, from: client.id, payload });
}

function list(client) {
  const listed = [...rooms.values()].map(({ id, name, members }) => ({ id, name, participantCount: members.size }));
  tell(client, { type: 'rooms-list', rooms: listed });
}

function refuse(client, code, roomId) {
  tell(client, { type: 'error', code, message: code, roomId });
}

function tell(client, message) {
  client.socket.send(JSON.stringify(message));
}

/** Written once for however many it goes to. */
function tellAll(room, message, except) {
  const text = JSON.stringify(message);
  for (const member of room.members.values()) {
    if (member !== except) member.socket.send(text);
  }
}

/** Three, four and three letters. */
function roomCode() {
  const letters = (count) => Array.from({ length: count }, () => String.fromCharCode(97 + randomInt(26))).join('');
  return `${letters(3)}-${letters(4)}-${letters(3)}`;
}

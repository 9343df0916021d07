// The room: who is inside, and a peer connection with each of them.

import { Peer } from "./peer.js";

export class Participant {
  id = null;
  room = null;
  errors = [];
  chat = [];
  peers = new Map();

  constructor(media) {
    this.media = media;
  }

  enter(server, room, name) {
    this.socket = new WebSocket(server);
    this.socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.socket.onopen = () => {
      this.joinSent = performance.now();
      if (room) this.#send({ type: "join-room", payload: { roomId: room } });
      else this.#send({ type: "create-room", payload: { name, maxParticipants: 0 } });
    };
  }

  leave() {
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
    this.#send({ type: "leave-room", payload: { roomId: this.room } });
    this.socket.close();
  }

  mute(muted) {
    for (const track of this.media.tracks) if (track.kind === "audio") track.enabled = !muted;
  }

  /** Sends the camera or nothing, without an offer. */
  async camera(on) {
    await Promise.all([...this.peers.values()].map((peer) => peer.camera(on)));
  }

  add(track) {
    this.media.tracks.push(track);
    for (const peer of this.peers.values()) peer.add(track);
  }

  restartIce() {
    for (const peer of this.peers.values()) peer.restartIce();
  }

  async stats() {
    const peers = await Promise.all([...this.peers].map(async ([id, peer]) => [id, await peer.stats()]));
    return {
      id: this.id,
      room: this.room,
      errors: this.errors,
      chat: this.chat,
      peers: Object.fromEntries(peers),
    };
  }

  #send(message) {
    this.socket.send(JSON.stringify(message));
  }

  #peer(id, since) {
    const relay = (type, payload) => this.#send({ type, roomId: this.room, to: id, payload });
    const polite = this.id < id;
    const peer = new Peer({ polite, since, relay, media: this.media });
    this.peers.set(id, peer);
    return peer;
  }

  #receive(message) {
    switch (message.type) {
      case "client-id":
        this.id = message.id;
        break;
      case "room-created":
        this.room = message.room.id;
        break;
      case "room-joined":
        this.room = message.room.id;
        // The newcomer offers to everyone inside.
        for (const id of message.room.participants) {
          if (id !== this.id) this.#peer(id, this.joinSent).offer();
        }
        break;
      case "member-joined":
        this.#peer(message.memberId, performance.now());
        break;
      case "member-left":
        this.peers.get(message.memberId)?.close();
        this.peers.delete(message.memberId);
        break;
      case "offer":
      case "answer":
      case "ice-candidate":
        this.peers.get(message.from)?.receive(message.type, message.payload);
        break;
      case "chat":
        this.chat.push({ from: message.from, payload: message.payload });
        break;
      case "error":
        this.errors.push(message.code);
        break;
    }
  }
}

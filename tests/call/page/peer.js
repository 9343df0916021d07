// One peer connection: perfect negotiation (W3C WebRTC, section 10.7).

import { Picture } from "./picture.js";

export class Peer {
  #connection = new RTCPeerConnection();
  #work = Promise.resolve();
  #makingOffer = false;
  #ignoringOffer = false;
  #errors = [];
  #garbled = 0;
  #picture = null;
  #stream = new MediaStream();
  #cameraSender = null;
  #cameraTrack = null;

  constructor({ polite, since, relay, media }) {
    this.polite = polite;
    this.since = since;
    this.relay = relay;
    this.media = media;
    this.#connection.onicecandidate = ({ candidate }) => {
      if (candidate) relay("ice-candidate", candidate.toJSON());
    };
    this.#connection.ontrack = ({ track }) => this.#show(track);
  }

  /** Sends our tracks, and from then on an offer whenever one is needed. */
  offer() {
    this.#offerWhenNeeded();
    this.#addTracks();
  }

  #offerWhenNeeded() {
    this.#connection.onnegotiationneeded ??= () => this.#inOrder(() => this.#makeOffer());
  }

  add(track) {
    this.#connection.addTrack(track, this.#stream);
    this.#preferCodec();
  }

  async camera(on) {
    const track = on ? this.#cameraTrack : null;
    if (on) return this.#cameraSender.replaceTrack(track);
    this.#cameraSender = this.#connection.getSenders().find((sender) => sender.track?.kind === "video");
    this.#cameraTrack = this.#cameraSender.track;
    await this.#cameraSender.replaceTrack(null);
  }

  restartIce() {
    this.#connection.restartIce();
  }

  receive(type, payload) {
    this.#inOrder(() =>
      type === "ice-candidate" ? this.#addCandidate(payload) : this.#takeDescription(payload),
    );
  }

  close() {
    this.#connection.close();
  }

  frame() {
    return this.#picture?.frame() ?? null;
  }

  forgetDelays() {
    this.#picture?.forgetDelays();
  }

  async stats() {
    const { inbound, outbound, codecs } = await this.#report();
    const of = (reports, kind) => reports.find((report) => report.kind === kind) ?? {};
    const [video, audio, sent] = [of(inbound, "video"), of(inbound, "audio"), of(outbound, "video")];
    return {
      state: this.#connection.connectionState,
      errors: this.#errors,
      ufrag: /^a=ice-ufrag:(.*)$/m.exec(this.#connection.remoteDescription?.sdp ?? "")?.[1] ?? null,
      garbled: this.#garbled,
      codec: codecs.get(video.codecId) ?? null,
      framesDecoded: video.framesDecoded ?? 0,
      frameWidth: video.frameWidth ?? 0,
      frameHeight: video.frameHeight ?? 0,
      freezeCount: video.freezeCount ?? 0,
      totalFreezesDuration: video.totalFreezesDuration ?? 0,
      packetsLost: video.packetsLost ?? 0,
      bytesReceived: video.bytesReceived ?? 0,
      audioBytesReceived: audio.bytesReceived ?? 0,
      concealedSamples: audio.concealedSamples ?? 0,
      silentConcealedSamples: audio.silentConcealedSamples ?? 0,
      totalSamplesReceived: audio.totalSamplesReceived ?? 0,
      totalAudioEnergy: audio.totalAudioEnergy ?? 0,
      audioLevel: audio.audioLevel ?? 0,
      sentCodec: codecs.get(sent.codecId) ?? null,
      framesEncoded: sent.framesEncoded ?? 0,
      bytesSent: sent.bytesSent ?? 0,
      ...this.#picture?.stats(this.since),
    };
  }

  async #report() {
    const found = { inbound: [], outbound: [], codecs: new Map() };
    for (const report of (await this.#connection.getStats()).values()) {
      if (report.type === "inbound-rtp") found.inbound.push(report);
      if (report.type === "outbound-rtp") found.outbound.push(report);
      if (report.type === "codec") found.codecs.set(report.id, report.mimeType);
    }
    return found;
  }

  #inOrder(step) {
    this.#work = this.#work.then(step).catch((error) => this.#errors.push(String(error)));
  }

  #addTracks() {
    for (const track of this.media.tracks) {
      const sender = this.#connection.addTrack(track, this.#stream);
      if (this.media.scramble) {
        const worker = new Worker("scramble.js");
        worker.onmessage = () => (this.#garbled += 1);
        sender.transform = new RTCRtpScriptTransform(worker, {});
      }
    }
    this.#preferCodec();
  }

  #preferCodec() {
    if (!this.media.codec) return;
    const wanted = [`video/${this.media.codec}`, "video/rtx"];
    const codecs = RTCRtpReceiver.getCapabilities("video").codecs.filter((codec) =>
      wanted.includes(codec.mimeType.toLowerCase()),
    );
    for (const transceiver of this.#connection.getTransceivers()) {
      if (transceiver.receiver.track.kind === "video") transceiver.setCodecPreferences(codecs);
    }
  }

  async #makeOffer() {
    this.#makingOffer = true;
    try {
      await this.#connection.setLocalDescription();
    } finally {
      this.#makingOffer = false;
    }
    await this.#capRate();
    this.relay("offer", this.#connection.localDescription.toJSON());
  }

  async #takeDescription(description) {
    const collides =
      description.type === "offer" &&
      (this.#makingOffer || this.#connection.signalingState !== "stable");
    this.#ignoringOffer = collides && !this.polite;
    if (this.#ignoringOffer) return;
    const first = this.#connection.remoteDescription === null;
    await this.#connection.setRemoteDescription(description);
    if (description.type !== "offer") return;
    // Added only now, our tracks take the places that the offer made for them.
    if (first && this.#connection.getSenders().every((sender) => !sender.track)) this.#addTracks();
    await this.#connection.setLocalDescription();
    await this.#capRate();
    this.relay("answer", this.#connection.localDescription.toJSON());
    this.#offerWhenNeeded();
  }

  async #capRate() {
    if (!this.media.kbps) return;
    for (const sender of this.#connection.getSenders()) {
      if (sender.track?.kind !== "video") continue;
      const parameters = sender.getParameters();
      for (const encoding of parameters.encodings) encoding.maxBitrate = this.media.kbps * 1000;
      await sender.setParameters(parameters);
    }
  }

  async #addCandidate(candidate) {
    try {
      await this.#connection.addIceCandidate(candidate);
    } catch (error) {
      if (!this.#ignoringOffer) throw error;
    }
  }

  #show(track) {
    // Chromium decodes sound only for an element that plays it.
    const element = document.createElement(track.kind);
    element.autoplay = true;
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
    if (track.kind === "video") this.#picture = new Picture(track, this.media.delays ?? true);
  }
}

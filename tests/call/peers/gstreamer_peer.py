"""A peer on GStreamer's webrtcbin, with libnice below it."""

import asyncio
import re
import struct

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402

from agent import FPS, HEIGHT, WIDTH, arguments, say, talk, ufrag  # noqa: E402

# The payload types of an offer of its own.
OWN = {"vp8": 96, "h264": 102, "opus": 111}
PATTERNS = ["ball", "smpte"]
VIDEO = {
    "vp8": "vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=400000 "
    "! rtpvp8pay picture-id-mode=15-bit pt={pt}",
    "h264": "openh264enc bitrate=400000 gop-size=60 ! video/x-h264,profile=constrained-baseline "
    "! h264parse config-interval=-1 ! rtph264pay aggregate-mode=zero-latency pt={pt}",
}


class Peer:
    def __init__(self, codec, policy, video):
        self.codec = codec
        self.pipeline = Gst.Pipeline.new()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", policy)
        self.pipeline.add(self.webrtc)
        self.webrtc.connect("on-ice-candidate", self.candidate)
        self.webrtc.connect("pad-added", self.pad_added)
        self.videos = 1 if video else 0
        self.sources = []
        self.volume = None
        self.frames, self.size, self.energy = 0, (0, 0), 0.0
        self.types = OWN
        self.remote = None
        bus = self.pipeline.get_bus()
        bus.set_sync_handler(self.message)

    def message(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            print("pipeline:", *message.parse_error(), flush=True)
        return Gst.BusSyncReply.DROP

    def candidate(self, _webrtc, index, candidate):
        say("ice-candidate", {"candidate": candidate, "sdpMLineIndex": index})

    def start(self):
        if self.sources:
            return
        self.volume = self.add(
            "audiotestsrc is-live=true wave=sine freq=440 volume=0.25 ! volume name=level "
            "! audioconvert ! opusenc ! rtpopuspay pt={pt}",
            "OPUS",
            "opus",
        ).get_by_name("level")
        for _ in range(self.videos):
            self.add_source()
        self.pipeline.set_state(Gst.State.PLAYING)

    def add_source(self):
        pattern = PATTERNS[(len(self.sources) - 1) % len(PATTERNS)]
        self.add(
            f"videotestsrc is-live=true pattern={pattern} ! valve name=valve "
            f"! video/x-raw,width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! videoconvert "
            f"! queue ! {VIDEO[self.codec]}",
            self.codec.upper(),
            self.codec,
        )

    def add(self, chain, name, kind):
        media = "audio" if kind == "opus" else "video"
        pt = self.types[kind]
        caps = f"application/x-rtp,media={media},encoding-name={name},payload={pt}"
        if kind == "h264":
            caps += ",packetization-mode=(string)1"
        text = f"{chain.format(pt=pt)} ! capsfilter caps={caps}"
        source = Gst.parse_bin_from_description(text, True)
        self.pipeline.add(source)
        source.link(self.webrtc)
        source.sync_state_with_parent()
        self.sources.append(source)
        return source

    def pad_added(self, _webrtc, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def decoded(self, _decoder, pad):
        if pad.get_current_caps().get_structure(0).get_name().startswith("video"):
            chain, taken = "queue ! videoconvert ! fakesink name=sink sync=false", self.picture
        else:
            chain = "queue ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! fakesink name=sink"
            taken = self.sound
        sink = Gst.parse_bin_from_description(chain, True)
        element = sink.get_by_name("sink")
        element.set_property("signal-handoffs", True)
        element.connect("handoff", taken)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def picture(self, _sink, _buffer, pad):
        self.frames += 1
        caps = pad.get_current_caps().get_structure(0)
        self.size = (caps.get_int("width")[1], caps.get_int("height")[1])

    def sound(self, _sink, buffer, pad):
        rate = pad.get_current_caps().get_structure(0).get_int("rate")[1]
        data = buffer.extract_dup(0, buffer.get_size())
        samples = struct.unpack(f"<{len(data) // 2}h", data)
        self.energy += sum((sample / 32_768) ** 2 for sample in samples) / rate

    def is_stable(self):
        state = self.webrtc.get_property("signaling-state")
        return state == GstWebRTC.WebRTCSignalingState.STABLE

    async def ask(self, signal, *given):
        promise = Gst.Promise.new()
        self.webrtc.emit(signal, *given, promise)
        await asyncio.to_thread(promise.wait)
        reply = promise.get_reply()
        if reply and reply.has_field("error"):
            raise RuntimeError(reply.get_value("error").message)
        return reply

    async def describe(self, kind):
        reply = await self.ask(f"create-{kind}", None)
        description = reply.get_value(kind)
        await self.ask("set-local-description", description)
        return description.sdp.as_text()

    async def take(self, kind, text):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        description = GstWebRTC.WebRTCSessionDescription.new(kind, sdp)
        self.remote = text
        await self.ask("set-remote-description", description)

    async def make_offer(self, restart):
        if restart:
            raise NotImplementedError("webrtcbin 1.22 restarts no ICE")
        self.start()
        return await self.describe("offer")

    async def take_offer(self, sdp):
        if not self.sources:
            self.types = {name: payload_type(sdp, name) for name in OWN}
            self.pipeline.set_state(Gst.State.READY)
            self.start()
        await self.take(GstWebRTC.WebRTCSDPType.OFFER, sdp)
        return await self.describe("answer")

    async def take_answer(self, sdp):
        await self.take(GstWebRTC.WebRTCSDPType.ANSWER, sdp)

    async def add_candidate(self, init):
        if init.get("candidate"):
            index = init.get("sdpMLineIndex") or 0
            self.webrtc.emit("add-ice-candidate", index, init["candidate"])

    async def mute(self, on):
        self.volume.set_property("mute", on)

    async def camera(self, on):
        self.sources[1].get_by_name("valve").set_property("drop", not on)

    async def add_video(self):
        self.add_source()

    async def figures(self):
        state = self.webrtc.get_property("connection-state")
        return {
            "state": state.value_nick,
            "framesDecoded": self.frames,
            "frameWidth": self.size[0],
            "frameHeight": self.size[1],
            "totalAudioEnergy": self.energy,
            "ufrag": ufrag(self.remote),
        }


def payload_type(sdp, codec):
    """What the offer calls the codec; of H.264, the packetization mode 1."""
    for line in re.finditer(r"^a=rtpmap:(\d+) (\w+)/", sdp, re.MULTILINE):
        pt, name = line.groups()
        parameters = re.search(rf"^a=fmtp:{pt} (.*)$", sdp, re.MULTILINE)
        whole = codec != "h264" or (parameters and "packetization-mode=1" in parameters.group(1))
        if name.lower() == codec and whole:
            return int(pt)
    return OWN[codec]


async def main():
    given = arguments()
    Gst.init(None)
    peer = Peer(given.codec, given.policy, not given.no_video)
    if given.offers:
        peer.start()
    await talk(peer)


asyncio.run(main())

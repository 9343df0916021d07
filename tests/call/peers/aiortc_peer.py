"""A peer on aiortc, which has an ICE, DTLS and RTP stack of its own."""

import array
import asyncio
import math
import time
from fractions import Fraction

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from agent import FPS, HEIGHT, WIDTH, arguments, talk, ufrag

RATE = 48_000
PART = RATE // 50


class Camera(MediaStreamTrack):
    """A bright bar that moves over a dark picture."""

    kind = "video"

    def __init__(self):
        super().__init__()
        self.started = time.time()
        self.count = 0

    async def recv(self):
        self.count += 1
        await asyncio.sleep(max(0, self.started + self.count / FPS - time.time()))
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for plane, value in zip(frame.planes, (40, 100, 160)):
            plane.update(bytes([value]) * plane.buffer_size)
        luma = bytearray(bytes(frame.planes[0]))
        left = self.count * 4 % (WIDTH - 20)
        for y in range(HEIGHT):
            start = y * frame.planes[0].line_size + left
            luma[start : start + 20] = b"\xeb" * 20
        frame.planes[0].update(bytes(luma))
        frame.pts = self.count * 90_000 // FPS
        frame.time_base = Fraction(1, 90_000)
        return frame


class Microphone(MediaStreamTrack):
    """A tone of 440 Hz, or silence."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.muted = False
        self.started = time.time()
        self.count = 0

    async def recv(self):
        first = self.count * PART
        self.count += 1
        await asyncio.sleep(max(0, self.started + self.count * PART / RATE - time.time()))
        loud = 0 if self.muted else 8_000
        tone = (loud * math.sin(2 * math.pi * 440 * (first + n) / RATE) for n in range(PART))
        frame = av.AudioFrame(format="s16", layout="mono", samples=PART)
        frame.planes[0].update(array.array("h", map(int, tone)).tobytes())
        frame.sample_rate = RATE
        frame.pts = first
        frame.time_base = Fraction(1, RATE)
        return frame


class Peer:
    def __init__(self, codec, video):
        self.codec = codec
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone()
        self.cameras = [Camera()] if video else []
        self.frames, self.size, self.energy = 0, (0, 0), 0.0
        self.tasks = []
        self.connection.on("track", self.received)

    def is_stable(self):
        return self.connection.signalingState == "stable"

    def received(self, track):
        self.tasks.append(asyncio.create_task(self.consume(track)))

    async def consume(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if track.kind == "video":
                self.frames += 1
                self.size = (frame.width, frame.height)
            else:
                samples = array.array("h", bytes(frame.planes[0])[: 4 * frame.samples])
                squares = sum((sample / 32_768) ** 2 for sample in samples)
                self.energy += squares / len(samples) * frame.samples / frame.sample_rate

    def add_tracks(self):
        if not any(sender.track for sender in self.connection.getSenders()):
            for track in [self.microphone, *self.cameras]:
                self.connection.addTrack(track)
        self.prefer_codec()

    def prefer_codec(self):
        codecs = RTCRtpSender.getCapabilities("video").codecs
        wanted = (f"video/{self.codec}", "video/rtx")
        wanted = [codec for codec in codecs if codec.mimeType.lower() in wanted]
        for transceiver in self.connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.setCodecPreferences(wanted)

    async def describe(self, description):
        await self.connection.setLocalDescription(description)
        return self.connection.localDescription.sdp

    async def make_offer(self, restart):
        if restart:
            raise NotImplementedError("aiortc restarts no ICE")
        self.add_tracks()
        return await self.describe(await self.connection.createOffer())

    async def take_offer(self, sdp):
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self.add_tracks()
        return await self.describe(await self.connection.createAnswer())

    async def take_answer(self, sdp):
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def add_candidate(self, init):
        if not init.get("candidate"):
            return
        candidate = candidate_from_sdp(init["candidate"].removeprefix("candidate:"))
        candidate.sdpMid = init.get("sdpMid")
        candidate.sdpMLineIndex = init.get("sdpMLineIndex")
        await self.connection.addIceCandidate(candidate)

    async def mute(self, on):
        self.microphone.muted = on

    async def camera(self, on):
        if on:
            return self.sender.replaceTrack(self.cameras[0])
        senders = self.connection.getSenders()
        self.sender = next(sender for sender in senders if sender.track is self.cameras[0])
        self.sender.replaceTrack(None)

    async def add_video(self):
        self.cameras.append(Camera())
        self.connection.addTrack(self.cameras[-1])

    async def figures(self):
        remote = self.connection.remoteDescription
        return {
            "state": self.connection.connectionState,
            "framesDecoded": self.frames,
            "frameWidth": self.size[0],
            "frameHeight": self.size[1],
            "totalAudioEnergy": self.energy,
            "ufrag": ufrag(remote and remote.sdp),
        }


async def main():
    given = arguments()
    await talk(Peer(given.codec, not given.no_video))


asyncio.run(main())

"""Janus' echo test: what it is sent comes back. It only answers."""

import asyncio
import json
import urllib.request
import uuid

from agent import arguments, say, talk, ufrag


class Peer:
    def __init__(self, codec, server):
        self.codec = codec
        self.url = server
        self.remote = None
        self.state = "new"
        self.answers = asyncio.Queue()

    def is_stable(self):
        return True

    async def call(self, path, message):
        message["transaction"] = uuid.uuid4().hex
        body = json.dumps(message).encode()
        request = urllib.request.Request(self.url + path, body)
        answer = await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())
        answer = json.loads(answer)
        if answer["janus"] == "error":
            raise RuntimeError(answer["error"])
        return answer

    async def attach(self):
        session = await self.call("", {"janus": "create"})
        self.session = f"/{session['data']['id']}"
        self.events = asyncio.create_task(self.read_events())
        plugin = {"janus": "attach", "plugin": "janus.plugin.echotest"}
        handle = await self.call(self.session, plugin)
        self.handle = f"{self.session}/{handle['data']['id']}"

    async def read_events(self):
        while True:
            read = lambda: urllib.request.urlopen(self.url + self.session).read()  # noqa: E731
            event = json.loads(await asyncio.to_thread(read))
            if event["janus"] == "webrtcup":
                self.state = "connected"
            elif event["janus"] == "hangup":
                self.state = "closed"
            elif "jsep" in event:
                await self.answers.put(event["jsep"]["sdp"])
            elif event["janus"] == "trickle":
                say("ice-candidate", event["candidate"])

    async def send(self, **body):
        jsep = body.pop("jsep", None)
        message = {"janus": "message", "body": body}
        if jsep:
            message["jsep"] = jsep
        await self.call(self.handle, message)

    async def take_offer(self, sdp):
        if self.remote is None:
            await self.attach()
        self.remote = sdp
        wanted = {"audio": True, "video": True, "videocodec": self.codec}
        await self.send(**wanted, jsep={"type": "offer", "sdp": sdp})
        return await self.answers.get()

    async def add_candidate(self, init):
        candidate = init if init.get("candidate") else {"completed": True}
        await self.call(self.handle, {"janus": "trickle", "candidate": candidate})

    async def mute(self, on):
        await self.send(audio=not on)

    async def camera(self, on):
        await self.send(video=on)

    async def figures(self):
        return {"state": self.state, "ufrag": ufrag(self.remote)}


async def main():
    given = arguments()
    await talk(Peer(given.codec, given.server))


asyncio.run(main())

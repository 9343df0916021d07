"""What the foreign peers have in common: they exchange JSON lines with the test.

In:  {"do": "offer"}, {"do": "offer" | "answer" | "ice-candidate", "payload": {...}},
     {"do": "mute", "on": true}, {"do": "camera", "on": false}, {"do": "restart"},
     {"do": "add-camera"}, {"do": "add-second"}
Out: {"say": "offer" | "answer" | "ice-candidate", "payload": {...}},
     {"figures": {...}} four times a second, {"error": "..."}
"""

import argparse
import asyncio
import json
import re
import sys
import threading
import traceback

WIDTH, HEIGHT, FPS = 320, 180, 15

writing = threading.Lock()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", choices=["vp8", "h264"], default="vp8")
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--offers", action="store_true", help="it makes the first offer")
    parser.add_argument("--policy", default="none")
    parser.add_argument("--server", help="of a peer that is a server's")
    return parser.parse_args()


def write(**line):
    # Also from threads of GStreamer: `print` writes the line and its end apart.
    with writing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def say(kind, payload):
    write(say=kind, payload=payload)


def ufrag(sdp):
    """The ICE user name fragment of a description; changes with each restart."""
    found = re.search(r"^a=ice-ufrag:(\S+)", sdp or "", re.MULTILINE)
    return found and found.group(1)


async def step(peer, line):
    kind, payload = line["do"], line.get("payload")
    if kind == "offer" and payload and not peer.is_stable():
        # These libraries know no rollback: their own offer stands.
        print("an offer is ignored, since one of its own is pending", flush=True)
    elif kind == "offer" and payload:
        say("answer", {"type": "answer", "sdp": await peer.take_offer(payload["sdp"])})
    elif kind in ("offer", "restart"):
        await offer(peer, restart=kind == "restart")
    elif kind == "answer":
        await peer.take_answer(payload["sdp"])
    elif kind == "ice-candidate":
        await peer.add_candidate(payload)
    elif kind in ("mute", "camera"):
        await getattr(peer, kind)(line["on"])
    elif kind in ("add-camera", "add-second"):
        await peer.add_video()
        await offer(peer)


async def offer(peer, restart=False):
    while not peer.is_stable():
        await asyncio.sleep(0.05)
    say("offer", {"type": "offer", "sdp": await peer.make_offer(restart)})


async def tell_figures(peer):
    while True:
        write(figures=await peer.figures())
        await asyncio.sleep(0.25)


async def talk(peer):
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    figures = asyncio.create_task(tell_figures(peer))
    offers = set()
    while line := await reader.readline():
        line = json.loads(line)
        work = step(peer, line)
        try:
            # An offer of its own may have to wait for an answer, which comes in here.
            if line["do"] in ("restart", "add-camera", "add-second"):
                offers.add(asyncio.create_task(work))
            else:
                await work
        except Exception as error:  # noqa: BLE001: it is the test that judges
            traceback.print_exc()
            write(error=f"{line['do']}: {error!r}")
    figures.cancel()

"""Calls a service through the SDK's client."""

import asyncio
import re

from google.protobuf.json_format import MessageToDict, ParseDict
from livekit import api

from question import answer, question

# The requests that are not named after their call.
REQUESTS = {
    "GetParticipant": "RoomParticipantIdentity",
    "RemoveParticipant": "RoomParticipantIdentity",
    "MutePublishedTrack": "MuteRoomTrackRequest",
}


async def call(rooms, rpc, request):
    method = getattr(rooms, re.sub("(?<!^)([A-Z])", r"_\1", rpc).lower())
    kind = getattr(api, REQUESTS.get(rpc, rpc + "Request"))
    try:
        told = await method(ParseDict(request, kind()))
    except api.TwirpError as error:
        return {"error": {"status": error.status, "code": error.code, "message": error.message}}
    return {"ok": MessageToDict(told, always_print_fields_with_no_presence=True)}


async def main():
    keys = question["key"], question["secret"]
    async with api.LiveKitAPI(question["url"], *keys) as client:
        calls = question["calls"]
        answers = [await call(client.room, each["rpc"], each["request"]) for each in calls]
    answer({"answers": answers})


asyncio.run(main())

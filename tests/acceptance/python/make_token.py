import datetime
import re

from livekit import api

from question import answer, question


def snake_case(name):
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


token = api.AccessToken(question["key"], question["secret"])
token.with_identity(question["identity"])
if "name" in question:
    token.with_name(question["name"])
if "ttl" in question:
    token.with_ttl(datetime.timedelta(seconds=question["ttl"]))
if "metadata" in question:
    token.with_metadata(question["metadata"])
if "attributes" in question:
    token.with_attributes(question["attributes"])
if "video" in question:
    grant = {snake_case(name): value for name, value in question["video"].items()}
    token.with_grants(api.VideoGrants(**grant))
answer({"token": token.to_jwt()})

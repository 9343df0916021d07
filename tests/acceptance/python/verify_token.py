from livekit import api

from question import answer, question

try:
    claims = api.TokenVerifier(question["key"], question["secret"]).verify(question["token"])
    answer({"claims": claims.asdict()})
except Exception as error:
    answer({"error": str(error) or type(error).__name__})

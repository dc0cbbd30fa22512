"""Where pages of other origins are answered otherwise than by the recorded server, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import GONE, Difference
from tests.golden.gotrue.refused import Refused
from tests.golden.gotrue.transcript import Json

NO_CREDENTIALS = "Any page may ask, so none may do so with what a browser keeps of its reader (Fetch 3.3.5)."
ONE_ANSWER = "A path answers OPTIONS alike, whoever asks, with all of its methods."
_SAID: Json = {
    "Access-Control-Allow-Credentials": GONE,
    "Access-Control-Expose-Headers": "X-Total-Count, Link, X-Supabase-Api-Version, X-Sb-Error-Code",
    "Vary": GONE,
}


def _preflight(methods: str, names: str | None = None) -> Json:
    headers: Json = {
        "Allow": methods,
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Credentials": GONE,
        "Vary": GONE,
    }
    return {"headers": headers | ({"Access-Control-Allow-Headers": names} if names else {})}


def _answered(methods: str, *, to_a_page: bool) -> Json:
    headers: Json = {
        "Allow": methods,
        "Content-Type": GONE,
        "X-Sb-Error-Code": GONE,
        "Access-Control-Allow-Credentials": GONE,
        "Vary": GONE,
    }
    if to_a_page:
        headers["Access-Control-Expose-Headers"] = _SAID["Access-Control-Expose-Headers"]
    return {"status": 204, "headers": headers, "body": None}


_OF_USER = "GET, HEAD, OPTIONS, PUT"
_CLIENT = "authorization,content-type,x-client-info,x-supabase-api-version"
CORS: Mapping[str, Sequence[Difference]] = {
    "cors.jsonl": [
        Difference(
            "preflight POST token",
            _preflight("OPTIONS, POST", f"apikey,{_CLIENT}"),
            "Clients send an apikey, and no gateway stands in front that would allow it.",
        ),
        Difference("preflight without apikey", _preflight("OPTIONS, POST"), NO_CREDENTIALS),
        Difference("preflight PUT user", _preflight(_OF_USER), NO_CREDENTIALS),
        Difference("preflight HEAD", _preflight(_OF_USER), "What answers GET answers HEAD."),
        Difference(
            "preflight of an unknown route",
            Refused(404, "validation_failed", "There is nothing at this path."),
            ONE_ANSWER,
        ),
        Difference("preflight without request method", _answered(_OF_USER, to_a_page=True), ONE_ANSWER),
        Difference("OPTIONS without origin", _answered(_OF_USER, to_a_page=False), ONE_ANSWER),
        Difference(
            "GET settings with origin",
            {"headers": _SAID, "body": {"saml_private_key_next_configured": False}},
            NO_CREDENTIALS,
        ),
        Difference(
            ["error answer with origin", "admin list with origin"], {"headers": _SAID}, NO_CREDENTIALS
        ),
    ],
}

"""Conditions, ranges and signed URLs: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ogel.features.storage.signing.tokens import UrlTokens
from ogel.runtime.secrets.vault import Vault
from tests.golden.expectation import GONE, Difference, Instead
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line
from tests.support.process import SECRET

_TOKENS = UrlTokens(Vault(SECRET))


def _signs_urls(replay: Replay) -> None:
    """The tester makes tokens under the key that URLs are signed with."""
    replay.made = _TOKENS.signed


def _change_the_payload(replay: Replay, line: Line) -> list[str]:
    """The first token, made to say another bucket."""
    head, _, signature = str(replay.labels.value("<jwt:1>")).split(".")
    now = int(time.time())
    changed = _TOKENS.signed({"url": "su2/d/a.txt", "iat": now, "exp": now + 86400}).split(".")[1]
    replay.labels.bind("<jwt:tampered-2>", f"{head}.{changed}.{signature}")
    return []


def _let_it_end(replay: Replay, line: Line) -> list[str]:
    """The token that lasts a second, as it is two seconds later."""
    then = int(time.time()) - 2
    ended = {"url": "su/d/a.txt", "scope": "download", "iat": then, "exp": then + 1}
    replay.labels.bind("<jwt:2>", _TOKENS.signed(ended))
    return []


_NOT_CHANGED = "Who has it is told nothing of its content: no Content-Type (RFC 9110 §15.4.5)."
_OWN_KEY = "URLs are signed with a key of their own, so that no other token opens one, whoever made it."
_ANY_OBJECT = "What is wrong is said of the bucket."
_NO_BODY = "The request has no body, whatever it calls its type."

DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    "signed_upload.jsonl": [
        Difference(
            "sign missing bucket",
            {"body": {"error": "Bucket not found", "message": "Bucket not found", "code": "NoSuchBucket"}},
            _ANY_OBJECT,
        ),
        Difference(
            "sign with json content type and no body",
            {"status": 200, "body": Instead({"url": "<any>", "token": "<any>"})},
            _NO_BODY,
        ),
    ],
    "signed_urls.jsonl": [
        Difference("use with if-none-match", {"headers": {"content-type": GONE}}, _NOT_CHANGED),
        Difference(
            "service_role JWT as token",
            {
                "body": {
                    "error": "InvalidJWT",
                    "message": "signature verification failed",
                    "code": "InvalidJWT",
                }
            },
            _OWN_KEY,
        ),
    ],
}
STEPS: Steps = {
    "signed_urls.jsonl": {"tampered payload": _change_the_payload, "use after expiry": _let_it_end}
}
BEGINNINGS: Beginnings = {"signed_urls.jsonl": _signs_urls, "signed_upload.jsonl": _signs_urls}

"""Conditions, ranges and signed URLs: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ogel.features.storage.signing.tokens import UrlTokens
from ogel.runtime.secrets.vault import Vault
from tests.golden.expectation import GONE, Difference, Instead, Json
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


_OWN_KEY = "URLs are signed with a key of their own, so that no other token opens one, whoever made it."
_OF_THE_BUCKET = "What is wrong is said of the bucket."
_NO_BODY = "The request has no body, whatever it calls its type."
_NO_RANGE = "A Range that cannot be read is ignored, as every HTTP server does (RFC 9110 §14.2)."
_A_RANGE = "So a range may be written (RFC 9110 §14.1.1, §5.6.1)."
_SEVERAL = "Several ranges are answered in parts (RFC 9110 §14.6)."
_RENDERED = "Pictures are made to measure here."
_HEAD = "HEAD is answered as GET would be (RFC 9110 §9.3.2)."
_TAGS = "Lists, weak tags and * are compared, too (RFC 9110 §13.1.2)."
_NO_STALE = "What a cache may do does not depend on what was asked; who stores an object may say so of it."
_FIRST = "Where a tag was sent, dates do not count (RFC 9110 §13.1.3)."
_OTHER = "Another version than the one that was meant is not sent (RFC 9110 §13.1.1, §13.1.4)."
_IF_RANGE = "A part of another version is of no use: all of it is sent (RFC 9110 §13.1.5)."

_ETAG = '"781e5e245d69b566979b86e28d23f2c7"'
_OBJECT = {
    "content-type": "text/plain",
    "etag": _ETAG,
    "x-robots-tag": "none",
    "last-modified": "<httpdate>",
    "cache-control": "max-age=60",
}
_WHOLE = {"status": 200, "headers": Instead(_OBJECT), "body": Instead("0123456789")}
_NOT_CHANGED = {"status": 304, "headers": {"content-type": GONE}, "body": None}


def _part(first: int, last: int) -> Json:
    headers = {**_OBJECT, "content-range": f"bytes {first}-{last}/10"}
    return {"status": 206, "headers": Instead(headers), "body": Instead("0123456789"[first : last + 1])}


def _parts(label: str, *parts: tuple[int, int]) -> Json:
    boundary = f"<boundary:{label}>"
    body = "".join(
        f"\r\n--{boundary}\r\nContent-Type: text/plain\r\n"
        f"Content-Range: bytes {first}-{last}/10\r\n\r\n{'0123456789'[first : last + 1]}"
        for first, last in parts
    )
    headers = {**_OBJECT, "content-type": f"multipart/byteranges; boundary={boundary}"}
    return {
        "status": 206,
        "headers": Instead(headers),
        "body": Instead(f"{body}\r\n--{boundary}--\r\n"),
    }


_FAILED = {
    "status": 412,
    "headers": Instead({"content-type": "application/json"}),
    "body": Instead(
        {"statusCode": "412", "error": "<any>", "message": "<any>", "code": "PreconditionFailed"},
    ),
}

DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    "conditional_range.jsonl": [
        Difference(
            [
                f"range {asked}"
                for asked in (
                    "bytes=5-2", "bytes=", "bytes", "bytes=a-b", "items=0-1", "bytes=0 - 1", "bytes=--1", "bytes=-",
                )
            ],
            _WHOLE,
            _NO_RANGE,
        ),
        Difference("range bytes=1-2,", _part(1, 2), _A_RANGE),
        Difference(["range BYTES=0-1", "range bytes= 0-1"], _part(0, 1), _A_RANGE),
        Difference("range bytes=0-1,3-4", _parts("one", (0, 1), (3, 4)), _SEVERAL),
        Difference("range bytes=0-1, 8-9", _parts("two", (0, 1), (8, 9)), _SEVERAL),
        Difference(
            "HEAD with range",
            {"status": 206, "headers": {"content-length": "4", "content-range": "bytes 2-5/10"}},
            _HEAD,
        ),
        Difference("HEAD if-none-match hit", _NOT_CHANGED, _HEAD),
        Difference(
            ["if-none-match weak", "if-none-match list", "if-none-match star"],
            {**_NOT_CHANGED, "headers": {"content-type": GONE, "cache-control": "max-age=60"}},
            _TAGS,
        ),
        Difference(
            ["if-none-match unquoted", "if-none-match miss"], {"headers": {"cache-control": "max-age=60"}}, _NO_STALE
        ),
        Difference("if-none-match miss and if-modified-since future", _WHOLE, _FIRST),
        Difference(["if-match miss", "if-unmodified-since past"], _FAILED, _OTHER),
        Difference("range with if-range miss", _WHOLE, _IF_RANGE),
    ],
    "signed_upload.jsonl": [
        Difference(
            "sign missing bucket",
            {"body": {"error": "Bucket not found", "message": "Bucket not found", "code": "NoSuchBucket"}},
            _OF_THE_BUCKET,
        ),
        Difference(
            "sign with json content type and no body",
            {"status": 200, "body": Instead({"url": "<any>", "token": "<any>"})},
            _NO_BODY,
        ),
    ],
    "signed_urls.jsonl": [
        Difference(
            "sign with transform while transformation is off",
            {
                "body": {"signedURL": "/render/image/sign/su/d/a.txt?token=<jwt:render>"},
                "decoded": {"<jwt:1>": GONE},
            },
            _RENDERED,
        ),
        Difference(
            "service_role JWT as token",
            {"body": {"error": "InvalidJWT", "message": "signature verification failed", "code": "InvalidJWT"}},
            _OWN_KEY,
        ),
        Difference(
            "sign missing bucket",
            {"body": {"error": "Bucket not found", "message": "Bucket not found", "code": "NoSuchBucket"}},
            _OF_THE_BUCKET,
        ),
    ],
}  # fmt: skip
STEPS: Steps = {
    "signed_urls.jsonl": {"tampered payload": _change_the_payload, "use after expiry": _let_it_end}
}
BEGINNINGS: Beginnings = {"signed_urls.jsonl": _signs_urls, "signed_upload.jsonl": _signs_urls}

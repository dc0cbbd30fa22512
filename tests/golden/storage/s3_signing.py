"""Requests of the transcripts signed anew: for this suite, now."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from zlib import crc32

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.golden.expectation import Json
from tests.golden.storage.contents import content_of
from tests.golden.storage.replay import PREFIX, Replay
from tests.golden.storage.steps import Step
from tests.golden.storage.transcript import Line
from tests.support.s3 import S3, signing_at

_HOST = "storage.test"
_OF_SIGNATURES = ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token")


class Signer:
    """
    `once` has what is signed otherwise in the next request: with another `key` or `secret`, of another `path` or
    `policy`, or so many seconds `ago`.
    """

    def __init__(self, replay: Replay) -> None:
        made = replay.suite.world.ok("POST", "/api/s3-keys", {"name": "golden"})
        self._key = made["access_key_id"]
        self._secret = made["secret_access_key"]
        # As itself, for what is mended between lines.
        self.s3 = S3(replay.suite.world, self._key, self._secret, prefix=f"{PREFIX}/s3")
        now = datetime.now(UTC)
        for placeholder, value in (
            ("<access_key>", self._key),
            ("<yyyymmdd>", now.strftime("%Y%m%d")),
            ("<amzdate>", now.strftime("%Y%m%dT%H%M%SZ")),
            ("<time:policy>", (now + timedelta(minutes=5)).isoformat()),
        ):
            replay.labels.bind(placeholder, value)
        self.once: dict[str, Any] = {}

    def __call__(self, request: Json) -> Json:
        once, self.once = self.once, {}
        body = request.get("body")
        if isinstance(body, dict) and body.get("kind") == "multipart":
            return {**request, "body": self._form(body, once)}
        if (
            isinstance(body, dict)
            and body.get("kind") == "binary"
            and "gen" not in body
            and "hex" not in body
        ):
            request = {**request, "body": _in_chunks()}
        if "X-Amz-Signature" in request.get("query", ""):
            return self._presigned(request, once)
        if request["headers"].get("authorization", "").startswith("AWS4"):
            return self._signed(request, once)
        return request

    def _credentials(self, once: dict[str, Any], token: str | None = None) -> Credentials:
        key = once.get("key", "golden" if token else self._key)
        return Credentials(key, once.get("secret", key if token else self._secret), token)

    def _signed(self, request: Json, once: dict[str, Any]) -> Json:
        old = request["headers"]
        region = old["authorization"].split("/")[2]
        token = old.get("x-amz-security-token")
        kept = {name: value for name, value in old.items() if name not in _OF_SIGNATURES}
        query = f"?{request['query']}" if request.get("query") else ""
        url = f"http://{_HOST}{PREFIX}{request['path']}{query}"
        signed = AWSRequest(request["method"], url, dict(kept), content_of(request.get("body")))
        auth = S3SigV4Auth(self._credentials(once, token), "s3", region)
        if (payload := old.get("x-amz-content-sha256", "")).startswith("STREAMING"):
            auth.payload = lambda _: payload
        auth.add_auth(signed)
        headers = {name.lower(): str(value) for name, value in signed.headers.items()}
        return {**request, "headers": {**headers, "host": _HOST}}

    def _presigned(self, request: Json, once: dict[str, Any]) -> Json:
        pairs = parse_qsl(request["query"], keep_blank_values=True)
        seconds = int(dict(pairs)["X-Amz-Expires"])
        kept = urlencode([pair for pair in pairs if not pair[0].startswith("X-Amz-")], quote_via=quote)
        path = once.get("path", request["path"])
        signed = AWSRequest(request["method"], f"http://{_HOST}{PREFIX}{path}{'?' if kept else ''}{kept}")
        with signing_at(datetime.now(UTC) - timedelta(seconds=once.get("ago", 0))):
            S3SigV4QueryAuth(self._credentials(once), "s3", "local", expires=seconds).add_auth(signed)
        query = str(signed.url).partition("?")[2]
        return {**request, "query": query, "headers": {**request["headers"], "host": _HOST}}

    def _form(self, body: Json, once: dict[str, Any]) -> Json:
        parts = [dict(part) for part in body["parts"]]
        named = {part["content-disposition"].lower().split('"')[1]: part for part in parts}
        policy = base64.b64encode(named["policy"]["decoded"].encode()).decode()
        named["policy"]["content"] = policy
        key = f"AWS4{self._secret}".encode()
        for step in named["x-amz-credential"]["content"].split("/")[1:]:
            key = hmac.digest(key, step.encode(), "sha256")
        signed = once.get("policy", policy)
        named["x-amz-signature"]["content"] = hmac.digest(key, signed.encode(), "sha256").hex()
        return {**body, "parts": parts}


def _in_chunks() -> Json:
    """The one body whose parts are not told."""
    content = (bytes(range(256)) * 274)[:70000]
    checksum = base64.b64encode(crc32(content).to_bytes(4, "big")).decode()
    body = b"11170\r\n" + content + f"\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
    return {"kind": "binary", "bytes": len(body), "sha256": sha256(body).hexdigest(), "hex": body.hex()}


def begin(replay: Replay) -> None:
    replay.prepared = Signer(replay)


def once(**what: Any) -> Step:
    def step(replay: Replay, line: Line) -> list[str]:
        assert isinstance(replay.prepared, Signer)
        replay.prepared.once = what
        return []

    return step


def mended(*requests: tuple[str, str, bytes]) -> Step:
    """What the recorded server has, and would not have had it refused what it should have: method, path, body."""

    def step(replay: Replay, line: Line) -> list[str]:
        assert isinstance(replay.prepared, Signer)
        for method, path, body in requests:
            answer = replay.prepared.s3(method, replay.labels.fill(path), body)
            assert answer.status < 300, answer.raw
        return []

    return step

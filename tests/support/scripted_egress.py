"""Outgoing requests without a network: what is posted is kept, and answered as the test says."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from ogel.runtime.egress import (
    NO_HEADERS,
    EgressError,
    EncodedHeaders,
    Exchange,
    Headers,
    Timings,
)
from ogel.runtime.outgoing import Body, StreamedAnswer


@dataclass(frozen=True)
class Posted:
    url: str
    headers: dict[str, str]
    body: bytes


class ScriptedEgress:
    """Answers in turn; the last one for good."""

    def __init__(self, *answers: Exchange | EgressError) -> None:
        self._answers = list(answers)
        self.posted: list[Posted] = []

    def encode(self, headers: Headers) -> EncodedHeaders:
        return NO_HEADERS

    async def post(
        self,
        url: str,
        *,
        headers: Headers,
        body: bytes,
        timeout_seconds: float,
        pool_key: str,
        max_body_bytes: int,
        encoded: EncodedHeaders = NO_HEADERS,
    ) -> Exchange:
        return self.answered(url, headers, body)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = b"",
        timeout_seconds: float,
        max_body_bytes: int,
    ) -> Exchange:
        assert method == "POST"
        assert isinstance(body, bytes)
        return self.answered(url, headers, body)

    def stream(self, method: str, url: str, **_: Any) -> AbstractAsyncContextManager[StreamedAnswer]:
        raise AssertionError(f"nothing that is tested with this streams: {method} {url}")

    def answered(self, url: str, headers: Headers, body: bytes) -> Exchange:
        self.posted.append(Posted(url, {name.lower(): value for name, value in headers}, body))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, EgressError):
            raise answer
        return answer


def answer(status: int, document: Any = None, **headers: str) -> Exchange:
    """`document` is JSON, or bytes that are none."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Exchange(status, named, body, False, "192.0.2.1", Timings())

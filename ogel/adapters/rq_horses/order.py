"""
What a worker orders from its helper, on its way through Redis: a call signed with a secret that only these two know.

Anybody who can write to Redis can put a job into a helper's queue. One that is not signed, or comes a second time, is
no order; of those that are, nothing but the order itself is read.
"""

from __future__ import annotations

import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

import redis
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

# The function that RQ is told to call and its dashboards show; the helper never looks it up.
PERFORM = "ogel.adapters.rq_horses.horse.run"
# Payloads are a few kilobytes; nothing larger is decompressed.
MOST_ORDER_BYTES = 16 * 1024 * 1024


def new_secret() -> str:
    return secrets.token_hex(32)


def signed(
    secret: str, id: str, number: int, kind: str, payload: Mapping[str, Any]
) -> tuple[int, str, str, str]:
    """Returns the arguments of a job. Orders from one worker to one helper are numbered."""
    text = json.dumps(payload)
    return number, kind, text, _signature(secret, id, number, kind, text)


class Order(Job):
    """An RQ job of which only the signed arguments are used: no function, callback, result or meta."""

    secret = ""
    """The secret of the reading process, set once before it reads."""

    number = 0
    kind = ""
    payload = ""

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        super().__init__(id, connection, serializer=JSONSerializer)

    def refresh(self) -> None:
        try:
            super().refresh()  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:  # not even a hash
            raise NoSuchJobError(f"{self.id} is no order") from error

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Raises NoSuchJobError for anything else, which makes RQ ignore the entry and go on."""
        try:
            data = _unpacked(raw_data[b"data"])
            function, _, (number, kind, payload, signature), _ = json.loads(data)
            right = hmac.compare_digest(_signature(self.secret, self.id, number, kind, payload), signature)
        except (KeyError, ValueError, TypeError, RecursionError, zlib.error) as error:
            raise NoSuchJobError(f"{self.id} is no order") from error
        if not right or function != PERFORM:
            raise NoSuchJobError(f"{self.id} is not signed by our worker")
        self.data = data
        self.number, self.kind, self.payload = number, kind, payload
        self._status = JobStatus.QUEUED


def _signature(secret: str, id: str, number: int, kind: str, payload: str) -> str:
    message = json.dumps([id, number, kind, payload]).encode()
    return hmac.digest(secret.encode(), message, "sha256").hex()


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, MOST_ORDER_BYTES)
    if not unpacker.eof:
        raise ValueError("longer than any order")
    return unpacked

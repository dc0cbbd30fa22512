"""Requests that may be made twice: under one key they are answered as they were at first, and change nothing more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Annotated, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from ogel.kernel.errors import Conflict, Invalid
from ogel.runtime.database.database import Database
from ogel.runtime.http.input import IDEMPOTENCY_KEY_PATTERN

Answer = TypeVar("Answer", bound=msgspec.Struct)

IdempotencyKey = Annotated[
    str,
    msgspec.Meta(
        pattern=IDEMPOTENCY_KEY_PATTERN,
        description="Or the header Idempotency-Key: the same request again changes nothing, and is answered as it was.",
    ),
]


class Request(Protocol):
    """A msgspec struct."""

    @property
    def idempotency_key(self) -> str | None: ...


class Asked(NamedTuple):
    """Without a key, a request is a new one each time. `fingerprint` is of what it asks for."""

    key: str | None
    fingerprint: bytes


def asked_by(request: Request, header_key: str | None) -> Asked:
    """However its JSON was written. Raises Invalid when body and header name two keys."""
    key = request.idempotency_key
    if key is not None and header_key is not None and key != header_key:
        raise Invalid.field("body.idempotency_key", "is not what the header Idempotency-Key says")
    plain = msgspec.structs.replace(request, idempotency_key=None)  # type: ignore[type-var]
    fingerprint = sha256(msgspec.json.encode(plain, order="deterministic")).digest()
    return Asked(header_key if key is None else key, fingerprint)


class Answers(Generic[Answer]):
    """
    Those that a feature keeps, in a table of its own, in the transaction that does what was asked for. `known` selects
    the fingerprint of the request that was made under `%(key)s`, and its answer as JSON.
    """

    def __init__(self, database: Database, known: bytes, kind: type[Answer]) -> None:
        self._database = database
        self._known = known
        self._kind = kind

    async def once(self, asked: Asked, accept: Callable[[], Awaitable[Answer | None]]) -> Answer:
        """
        What it was answered before, or else what `accept` answers: None when somebody else's request took the key while
        this one was to be kept. Raises Conflict when the key stands for another request.
        """
        answer = await self._given(asked) or await accept() or await self._given(asked)
        if answer is None:  # retention was there in between
            raise Conflict(f"The idempotency key {asked.key!r} was just forgotten; ask again.")
        return answer

    async def _given(self, asked: Asked) -> Answer | None:
        if asked.key is None:
            return None
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(self._known, {"key": asked.key})
        if not rows:
            return None
        fingerprint, answer = rows[0]
        if fingerprint != asked.fingerprint:
            raise Conflict(f"The idempotency key {asked.key!r} was used for another request.")
        return msgspec.json.decode(answer, type=self._kind)

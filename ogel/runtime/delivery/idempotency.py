"""Idempotent requests: a repetition under the same key gets the first answer, and changes nothing more."""

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
    """A request as a msgspec struct."""

    @property
    def idempotency_key(self) -> str | None: ...


class Asked(NamedTuple):
    """A request and its key. Without a key every request is a new one. `fingerprint` is a hash of its content."""

    key: str | None
    fingerprint: bytes


def asked_by(request: Request, header_key: str | None) -> Asked:
    """
    Makes an Asked, with the same fingerprint however the JSON was written. Raises Invalid when body and header name two
    keys.
    """
    key = request.idempotency_key
    if key is not None and header_key is not None and key != header_key:
        raise Invalid.field("body.idempotency_key", "is not what the header Idempotency-Key says")
    plain = msgspec.structs.replace(request, idempotency_key=None)  # type: ignore[type-var]
    fingerprint = sha256(msgspec.json.encode(plain, order="deterministic")).digest()
    return Asked(header_key if key is None else key, fingerprint)


class Answers(Generic[Answer]):
    """
    A feature's remembered answers, kept in its own table and written in the transaction that does the work. `known`
    selects, for `%(key)s`, the fingerprint of the first request and its answer as JSON.
    """

    def __init__(self, database: Database, known: bytes, kind: type[Answer]) -> None:
        self._database = database
        self._known = known
        self._kind = kind

    async def once(self, asked: Asked, accept: Callable[[], Awaitable[Answer | None]]) -> Answer:
        """
        Returns the remembered answer, or else that of `accept`, which is None when a concurrent request took the key.
        Raises Conflict when the key belongs to another request.
        """
        answer = await self._given(asked) or await accept() or await self._given(asked)
        if answer is None:  # the retention deleted it in between
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

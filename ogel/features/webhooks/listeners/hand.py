"""The worker's side of a listener: offers an attempt to it and waits for the answer."""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Sequence

import msgspec

from ogel.features.webhooks.listeners.handover import (
    RETURN_SECONDS,
    TAKE_SECONDS,
    Handover,
    HandoverAnswer,
)
from ogel.features.webhooks.listeners.store import ListenerStore
from ogel.features.webhooks.listeners.waiting import RowWaiter
from ogel.features.webhooks.sending.receiver import Receiver
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.egress import EgressError, Exchange, Timings


class Hand:
    """`pass_on` is for listeners what `Egress.post` is for URLs."""

    def __init__(self, database: Database, store: ListenerStore) -> None:
        self._database = database
        self._store = store
        self._waiting = RowWaiter(self._over)

    async def pass_on(
        self,
        receiver: Receiver,
        event: Event,
        delivery_id: str,
        signed: Sequence[tuple[str, str]],
        body: bytes,
    ) -> Exchange:
        """
        Raises EgressError. It is `ours`, so that it costs no attempt, while no listener polls or none takes the
        request in time. A request that was taken and not answered may have arrived.
        """
        began = time.monotonic()
        id = new_id("hnd")
        request = Handover(
            id,
            event.id,
            event.type,
            delivery_id,
            [*_plain(receiver.headers), *signed],
            body.decode(),
            receiver.timeout_seconds,
        )
        try:
            async with self._database.autocommit() as tx:
                text = msgspec.json.encode(request).decode()
                seconds = receiver.timeout_seconds + RETURN_SECONDS
                if not await self._store.offer(tx, id, receiver.webhook_id, text, seconds):
                    raise EgressError("connect", "nobody listens: `ogel listen` is not connected", ours=True)
            is_taken, answer = await self._come_back(id, TAKE_SECONDS + seconds)
        except DatabaseAway as error:
            raise EgressError("connect", "the database is away", detail=error.reason, ours=True) from error
        timings = Timings(total=time.monotonic() - began)
        if answer is None:
            raise _silent(is_taken, timings)
        return _exchange(msgspec.json.decode(answer, type=HandoverAnswer), timings)

    async def _come_back(self, id: str, seconds: float) -> tuple[bool, str | None]:
        """
        Waits for the answer, then withdraws the offer, so that it can no longer be taken. If the attempt is cancelled,
        the offer stays until its time is over.
        """
        await self._waiting.until(id, seconds)
        async with self._database.autocommit() as tx:
            return await self._store.withdraw(tx, id)

    async def _over(self, ids: Sequence[str]) -> Collection[str]:
        async with self._database.autocommit() as tx:
            return await self._store.over(tx, ids)


def _plain(encoded: bytes) -> list[tuple[str, str]]:
    """Decodes headers encoded by `Egress.encode`: lines of `name: value`."""
    lines = encoded.decode("utf-8").split("\r\n")
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines if line)]


def _silent(is_taken: bool, timings: Timings) -> EgressError:
    error = (
        EgressError("timeout", "the listener took it and did not answer in time")
        if is_taken
        else EgressError("connect", "the listener is connected and did not take it in time", ours=True)
    )
    error.timings = timings
    return error


def _exchange(answer: HandoverAnswer, timings: Timings) -> Exchange:
    """Raises EgressError for a failure reported by the listener."""
    if (said := answer.answered) is None:
        assert answer.failed is not None  # the answer was validated on input
        error = EgressError(answer.failed.reason, answer.failed.message)
        error.timings = timings
        raise error
    timings.first_byte = said.first_byte_seconds
    return Exchange(
        said.status,
        [(name, value) for name, value in said.headers],
        base64.b64decode(said.body),
        said.truncated,
        None,
        timings,
    )

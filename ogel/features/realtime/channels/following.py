"""
What this process hears of channels, for those whom it serves: each publication once and in order, whatever Redis loses.

Redis tells of publications as they are committed. What it does not tell is found in Postgres: at once where the next
one shows that some are missing, and otherwise within a second, as the clock in Postgres has moved on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice

import msgspec
import structlog

from ogel.features.realtime.channels.metrics import ChannelMetrics
from ogel.features.realtime.channels.store import clock, history, tops
from ogel.kernel.errors import OgelError
from ogel.runtime.database.database import Database
from ogel.runtime.realtime.publication import Position, Publication, unpacked
from ogel.runtime.together import Together

log = structlog.get_logger(__name__)

# How often the clock is looked at while somebody is served here; and all channels, whatever it says: a publication can
# be committed long after it has moved the clock on.
CLOCK_SECONDS = 0.25
TOPS_SECONDS = 5.0
# Publications of a channel that are remembered here, for those who come back soon: a crowd that does, after a deploy,
# need not ask Postgres.
_REMEMBERED = 1000
_REMEMBERED_BYTES = 512 * 1024
# How often channels are looked at after the clock has moved on; and how long that rests, in times of what a look took.
_LOOKS = 2
_REST = 20
# What is read at once of a channel that has missed some, and how much it may have missed before its subscribers are
# told to begin anew, each for itself.
_PAGE = 200
MOST_MISSED = 1000
_MOST_TOGETHER = 1000

Deliver = Callable[[Publication], None]
Lost = Callable[[str], None]


class _Followed:
    """
    A channel with subscribers here. `position` is that of the last publication that they got; `recent` ends with that
    one, and has none missing.
    """

    __slots__ = ("_bytes", "followers", "looked_up", "position", "recent")

    def __init__(self) -> None:
        self.followers = 0
        self.position = Position("", 0)
        self.looked_up: asyncio.Task[None] | None = None
        self.recent: deque[Publication] = deque()
        self._bytes = 0

    def got(self, publication: Publication) -> None:
        self.position = publication.position
        self.recent.append(publication)
        self._bytes += len(publication.data)
        while len(self.recent) > _REMEMBERED or self._bytes > _REMEMBERED_BYTES:
            self._bytes -= len(self.recent.popleft().data)

    def begin_anew(self, position: Position) -> None:
        self.position = position
        self.recent.clear()
        self._bytes = 0


class Following:
    """
    deliver  hands a publication to the channel's subscribers; does not wait.
    lost     tells them that publications before the next are missing, and cannot be found.
    """

    def __init__(self, database: Database, deliver: Deliver, lost: Lost, metrics: ChannelMetrics) -> None:
        self._database = database
        self._deliver = deliver
        self._lost = lost
        self._metrics = metrics
        self._followed: dict[str, _Followed] = {}
        self._missing: dict[str, None] = {}
        self._wanted = asyncio.Event()
        self._tops: Together[str, Position] = Together(self._look_up, _MOST_TOGETHER)

    async def follow(self, channel: str) -> None:
        """
        From when this returns on, until `forget`, every publication after `position(channel)` is delivered. Raises
        DatabaseAway.
        """
        followed = self._followed.get(channel)
        if followed is None:
            followed = self._followed[channel] = _Followed()
            followed.looked_up = asyncio.create_task(self._begin(channel, followed))
        followed.followers += 1
        try:
            if followed.looked_up is not None:
                await asyncio.shield(followed.looked_up)
        except BaseException:
            self.forget(channel)
            raise

    def forget(self, channel: str) -> None:
        """Undoes one `follow`."""
        followed = self._followed[channel]
        followed.followers -= 1
        if not followed.followers:
            del self._followed[channel]
            self._missing.pop(channel, None)

    def position(self, channel: str) -> Position:
        return self._followed[channel].position

    def remembered(self, channel: str, since: Position) -> Sequence[Publication] | None:
        """What was published after `since`, up to `position(channel)`; None: Postgres has to be asked."""
        followed = self._followed[channel]
        top, recent = followed.position, followed.recent
        if since.epoch != top.epoch or since.offset > top.offset:
            return None
        missed = top.offset - since.offset
        return None if missed > len(recent) else [*islice(recent, len(recent) - missed, None)]

    def heard(self, payload: bytes) -> None:
        """Takes what another process broadcast."""
        try:
            publication = unpacked(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("realtime.unreadable", bytes=len(payload), error=str(error))
            return
        followed = self._followed.get(publication.channel)
        if followed is None or followed.looked_up is not None:
            # Of a channel that is being looked up, it is found once that is done.
            if followed is not None:
                self._miss(publication.channel)
        elif not self._hand_on(followed, publication):
            self._miss(publication.channel)

    def connected(self) -> None:
        """After a time without Redis: whatever was said meanwhile is looked for."""
        for channel in self._followed:
            self._miss(channel)

    async def run(self, stop: asyncio.Event) -> None:
        """A service of the lifecycle: finds what Redis did not tell."""
        await asyncio.gather(self._watch_clock(stop), self._find_missing(stop))

    async def _begin(self, channel: str, followed: _Followed) -> None:
        try:
            followed.position = await self._tops.ask(channel)
        finally:
            followed.looked_up = None

    async def _look_up(self, channels: Sequence[str]) -> Sequence[Position]:
        async with self._database.autocommit() as tx:
            found = await tops(tx, channels)
        return [found.get(channel, Position("", 0)) for channel in channels]

    def _hand_on(self, followed: _Followed, publication: Publication) -> bool:
        """Returns whether it was the next one, or one that is known."""
        epoch, offset = followed.position.epoch, followed.position.offset
        if publication.epoch == epoch and publication.offset <= offset:
            return True
        is_next = publication.offset == offset + 1 and (publication.epoch == epoch or not epoch)
        if is_next:
            followed.got(publication)
            self._deliver(publication)
        return is_next

    def _miss(self, channel: str) -> None:
        self._missing[channel] = None
        self._wanted.set()

    async def _find_missing(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _either(self._wanted, stop)
            self._wanted.clear()
            while self._missing and not stop.is_set():
                channel = next(iter(self._missing))
                try:
                    await self._find(channel)
                except OgelError as error:
                    log.warning("realtime.history_away", channel=channel, error=error.message)
                    await _pause(stop, 1.0)
                else:
                    self._missing.pop(channel, None)

    async def _find(self, channel: str) -> None:
        """Hands on what Postgres has after the position; or tells that it has not all of it."""
        missed = 0
        while (followed := self._followed.get(channel)) is not None:
            if followed.looked_up is not None:
                with suppress(OgelError):
                    await asyncio.shield(followed.looked_up)
                continue
            before = followed.position
            async with self._database.autocommit() as tx:
                top = (await tops(tx, [channel])).get(channel, Position("", 0))
                is_same = top.epoch == before.epoch or not before.epoch
                found = await history(tx, channel, before.offset, _PAGE) if is_same else []
            missed += sum(self._hand_on(followed, each) for each in found)
            now = followed.position
            if now.offset >= top.offset and (now.epoch == top.epoch or not top.epoch):
                break
            if now == before or missed > MOST_MISSED:
                self._metrics.lost()
                log.warning("realtime.history_lost", channel=channel, before=before.offset, top=top.offset)
                followed.begin_anew(top)
                self._lost(channel)
                break
        if missed:
            self._metrics.found(missed)

    async def _watch_clock(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        seen, looks, not_before, due = -1, 0, 0.0, 0.0
        while not stop.is_set():
            await _pause(stop, CLOCK_SECONDS)
            began = loop.time()
            if not self._followed or began < not_before:
                continue
            try:
                async with self._database.autocommit() as tx:
                    now = await clock(tx)
                if now != seen:
                    # What has moved the clock on may be committed only after this look.
                    seen, looks = now, _LOOKS
                if looks or began >= due:
                    looks, due = max(looks - 1, 0), began + TOPS_SECONDS
                    await self._compare()
                not_before = loop.time() + min(_REST * (loop.time() - began), TOPS_SECONDS)
            except OgelError as error:
                log.warning("realtime.clock_away", error=error.message)
                await _pause(stop, 1.0)

    async def _compare(self) -> None:
        names = [name for name, each in self._followed.items() if each.looked_up is None]
        async with self._database.autocommit() as tx:
            found = await tops(tx, names)
        for name, top in found.items():
            followed = self._followed.get(name)
            if followed is not None and (
                top.epoch != followed.position.epoch or top.offset > followed.position.offset
            ):
                self._miss(name)


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    waits = [asyncio.create_task(each.wait()) for each in (first, second)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()

"""What somebody missed who comes back and says up to where they heard a channel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ogel.features.realtime.channels.store import history
from ogel.runtime.database.database import Transaction
from ogel.runtime.realtime.publication import Position, Publication

# Who missed more gets that first, and comes back for the rest.
MOST_RECOVERED = 1000
MOST_BYTES = 512 * 1024


class Recovery(Struct, frozen=True):
    """
    recovered     `publications` are what was missed, none left out. False: not all of that is kept any more, or the
                  position is of another epoch; then there are none.
    is_whole      False: only the first of them, up to the limit.
    """

    recovered: bool
    publications: Sequence[Publication] = ()
    is_whole: bool = True


async def recover(
    tx: Transaction, channel: str, since: Position, top: Position, limit: int = MOST_RECOVERED
) -> Recovery:
    """What was published after `since`, up to `top`, from where on the caller hears it live."""
    missed = top.offset - since.offset
    if missed < 0 or (since.epoch and since.epoch != top.epoch):
        return Recovery(False)
    found = [each for each in await history(tx, channel, since.offset, limit) if each.epoch == top.epoch]
    return recovery_of([each for each in found if each.offset <= top.offset], since, missed)


def recovery_of(found: Iterable[Publication], since: Position, missed: int) -> Recovery:
    """`found` are those after `since` that are kept, oldest first, of so many that were missed."""
    some = list(first(found))
    if missed and (not some or some[0].offset != since.offset + 1):
        return Recovery(False)
    return Recovery(True, some, len(some) == missed)


def first(found: Iterable[Publication]) -> Iterator[Publication]:
    """As many as can be said at once, and at least one, however large."""
    size = 0
    for number, each in enumerate(found):
        size += len(each.data)
        if number and (size > MOST_BYTES or number >= MOST_RECOVERED):
            return
        yield each

"""How much every queue holds, asked in a way that costs the same at a hundred jobs and at a million."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from ogel.runtime.database.database import Database, Queries, Transaction

_SQL = Queries.beside(__name__)

# Jobs of one status are counted up to this; beyond it a sample of the table says how many, within about a tenth.
MOST_COUNTED = 10_000
SAMPLE_PAGES = 300


class QueueDepth(Struct, frozen=True):
    """
    A queue's depth; an estimate for large queues. `pending` does not include `held`. `oldest_seconds`: since when the
    oldest job that is not held has been due, whatever it waits for.
    """

    pending: int
    running: int
    held: int
    dead: int
    oldest_seconds: float


STATUSES = ("pending", "running", "held", "dead")
# Returns the depth of every queue by name, those without jobs included.
AskDepths = Callable[[], Awaitable[Mapping[str, QueueDepth]]]

NOTHING = QueueDepth(0, 0, 0, 0, 0.0)


class _Counted(Struct, frozen=True):
    """A row of `queue_stats`; `waiting` includes what is held."""

    queue_name: str
    waiting: int
    running: int
    held: int
    dead: int
    oldest_seconds: float

    @property
    def is_cut(self) -> bool:
        return max(self.waiting, self.running, self.held, self.dead) >= MOST_COUNTED


class Depths:
    def __init__(self, database: Database, queue_names: Sequence[str]) -> None:
        self._database = database
        self._queue_names = queue_names

    async def all(self) -> dict[str, QueueDepth]:
        """Returns the depth of every queue by name, those without jobs included."""
        async with self._database.autocommit() as tx:
            counted = await tx.all(_SQL.queue_stats, {"most": MOST_COUNTED}, _Counted)
            sample = await _sample(tx) if any(each.is_cut for each in counted) else Counter()
        return {
            **dict.fromkeys(self._queue_names, NOTHING),
            **{each.queue_name: _depth(each, sample) for each in counted},
        }


async def _sample(tx: Transaction) -> Counter[tuple[str, str]]:
    """About how many jobs there are, by queue and status."""
    pages = await tx.value(_SQL.job_queue_pages)
    part = min(1.0, SAMPLE_PAGES / max(1, pages))
    rows = await tx.tuples(_SQL.sample, {"percent": 100 * part})
    return Counter({(queue, status): round(count / part) for queue, status, count in rows})


def _depth(counted: _Counted, sample: Counter[tuple[str, str]]) -> QueueDepth:
    def about(count: int, status: str) -> int:
        return count if count < MOST_COUNTED else max(count, sample[counted.queue_name, status])

    held = about(counted.held, "held")
    pending = counted.waiting - held
    if counted.waiting >= MOST_COUNTED:
        pending = max(pending, sample[counted.queue_name, "pending"])
    return QueueDepth(
        max(0, pending), about(counted.running, "running"), held, about(counted.dead, "dead"),
        counted.oldest_seconds,
    )  # fmt: skip

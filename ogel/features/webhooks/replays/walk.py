"""Finds and counts the events of a replay, a page at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ogel.features.webhooks.deliveries.times import ids_since, ids_until
from ogel.features.webhooks.endpoints.testing import TEST_EVENT
from ogel.features.webhooks.fanout.document import Document
from ogel.features.webhooks.fanout.filter import fits
from ogel.features.webhooks.replays.replay import FoundEvent, Range, ReplayCursor, ReplayTarget, Tally
from ogel.kernel.event import Event
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS)

# The most rows that one statement reads, when it looks for events to replay and when it only counts.
FIND_ROWS, COUNT_ROWS = 5_000, 10_000
# The number of events with data (for a filter) in one read: each may have 256 KiB.
FILTERED_ROWS = 100


class WalkPage(NamedTuple):
    """Rows after a cursor, up to `end`; `is_last`: there are no more."""

    end: ReplayCursor
    is_last: bool


class Sight(NamedTuple):
    """What was found up to `cursor`."""

    found: Sequence[FoundEvent]
    cursor: ReplayCursor
    is_last: bool


def start_of(range: Range) -> ReplayCursor:
    return ReplayCursor(range.since, ids_since(range.since) if range.only == "failed" else "")


async def look(
    tx: Transaction, range: Range, listener: ReplayTarget, after: ReplayCursor, limit: int
) -> Sight:
    """Returns the next events to replay, at most `limit`, among the rows that one statement may read."""
    page = await _page(tx, range, after, FIND_ROWS)
    if page is None:
        return Sight((), after, True)
    filtered = _is_filtered(range, listener)
    if filtered:
        limit = min(limit, FILTERED_ROWS)
    query = _SQL.find_failed if range.only == "failed" else _SQL.find_events
    more = {"limit": limit, "with_data": filtered}
    rows = await tx.tuples(query, _parameters(range, listener, after, page.end) | more)
    found = [FoundEvent(*row) for row in rows]
    if len(found) < limit:
        return Sight(_fitting(found, listener), page.end, page.is_last)
    last = found[-1]
    id = last.delivery_id if range.only == "failed" else last.event_id
    assert id is not None
    return Sight(_fitting(found, listener), ReplayCursor(last.created_at, id), False)


async def count(tx: Transaction, range: Range, listener: ReplayTarget, tally: Tally, seconds: float) -> Tally:
    """Goes on counting for about so long, page by page: no statement is a long one."""
    deadline = time.monotonic() + seconds
    while not tally.complete and time.monotonic() < deadline:
        if _is_filtered(range, listener):
            tally = await _count_filtered(tx, range, listener, tally)
        else:
            tally = await _count_page(tx, range, listener, tally)
    return tally


async def _count_page(tx: Transaction, range: Range, listener: ReplayTarget, tally: Tally) -> Tally:
    page = await _page(tx, range, tally.cursor, COUNT_ROWS)
    if page is None:
        return tally._replace(complete=True)
    query = _SQL.count_failed if range.only == "failed" else _SQL.count_events
    [(replayable, pending)] = await tx.tuples(query, _parameters(range, listener, tally.cursor, page.end))
    return Tally(page.end, tally.replayable + replayable, tally.pending + pending, page.is_last)


async def _count_filtered(tx: Transaction, range: Range, listener: ReplayTarget, tally: Tally) -> Tally:
    sight = await look(tx, range, listener, tally.cursor, FILTERED_ROWS)
    pending = sum(each.is_pending for each in sight.found)
    replayable = tally.replayable + len(sight.found) - pending
    return Tally(sight.cursor, replayable, tally.pending + pending, sight.is_last)


async def _page(tx: Transaction, range: Range, after: ReplayCursor, rows: int) -> WalkPage | None:
    query = _SQL.failed_page if range.only == "failed" else _SQL.events_page
    parameters = {
        "webhook_id": range.webhook_id,
        "after_at": after.at,
        "after_id": after.id,
        "until": range.until,
        "before_id": ids_until(range.asked_at),
        "limit": rows,
    }
    ends = await tx.tuples(query, parameters)
    return WalkPage(ReplayCursor(*ends[0][:2]), ends[0][2] < rows) if ends else None


def _parameters(
    range: Range, listener: ReplayTarget, after: ReplayCursor, end: ReplayCursor
) -> dict[str, Any]:
    return {
        "webhook_id": range.webhook_id,
        "since": range.since,
        "until": range.until,
        "after_at": after.at,
        "after_id": after.id,
        "end_at": end.at,
        "end_id": end.id,
        "event_likes": range.event_likes,
        "listens_to": listener.event_likes,
        "delivered_too": range.only == "all",
        "test": TEST_EVENT,
    }


def _is_filtered(range: Range, listener: ReplayTarget) -> bool:
    """A delivery means that the event matched the filter then; only events without one are judged now."""
    return listener.filter is not None and range.only != "failed"


def _fitting(found: Sequence[FoundEvent], listener: ReplayTarget) -> Sequence[FoundEvent]:
    return [
        each
        for each in found
        if each.data is None or fits(listener.filter, Document(_event(each, each.data)))
    ]


def _event(found: FoundEvent, data: str) -> Event:
    return Event(found.event_id, found.type, data.encode(), found.subject, found.created_at)

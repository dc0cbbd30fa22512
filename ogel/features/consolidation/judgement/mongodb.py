"""MongoDB: kept where it is used; removed where it is empty, or where nobody has written or asked for long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ogel.features.consolidation.judgement.verdict import (
    Judgement,
    keep,
    many,
    name_of,
    refer,
    remove,
    unknown,
)
from ogel.features.consolidation.seen import Seen
from ogel.kernel.quantities import size
from ogel.runtime.surveys import DocumentsSeen

_ONCE = "A program that connects once a month with an address in its code would find nobody."
_DUMP = 'mongodump --uri "$MONGO_PUBLIC_URL" --gzip --archive=mongo.archive.gz   # or back up its volume'
_RESTORE = (
    'mongorestore --uri "$MONGO_PUBLIC_URL" --gzip --archive=mongo.archive.gz   # if its volume is gone'
)


def judge(seen: Seen, now: datetime, days: float) -> Judgement:
    if seen.referrers:
        return keep(
            f"{refer(seen.referrers)}{_held(seen.documents)}. Ogel needs none, and can watch this one "
            "(ogel databases add)."
        )
    documents = seen.documents
    if seen.referrers is None or documents is None or documents.documents is None:
        return unknown(
            seen,
            "Whether anything is in it was not seen.",
            look=[
                "ogel consolidate --look-inside   # counts with the login that its variables hold",
                *_look(seen),
            ],
        )
    if documents.connections:
        return unknown(
            seen,
            f"No variable refers to it, but somebody is connected ({documents.connections}){_held(documents)}.",
            look=_look(seen),
        )
    if documents.documents == 0 and not documents.writes:
        return remove(seen, "It holds no documents, no service refers to it, and nobody is connected.", _ONCE)
    if _is_forgotten(documents, now, days):
        return remove(
            seen,
            f"No service refers to it, nobody is connected, and nothing was written for {days:g} days"
            f"{_held(documents)}.",
            _ONCE,
            "medium",
            first=[_DUMP],
            back=[_RESTORE],
        )
    return unknown(
        seen,
        f"No variable refers to it{_held(documents)}; it was written to lately, or has not run for {days:g} days.",
        look=_look(seen),
    )


def _is_forgotten(documents: DocumentsSeen, now: datetime, days: float) -> bool:
    """Its counters begin when it starts: they must cover the days that are looked at."""
    if documents.writes != 0 or documents.uptime_seconds is None or documents.uptime_seconds < days * 86_400:
        return False
    return documents.newest is None or documents.newest < now - timedelta(days=days)


def _held(documents: DocumentsSeen | None) -> str:
    if documents is None or documents.documents is None:
        return ""
    written = f", {many(documents.writes, 'write')} since it started" if documents.writes is not None else ""
    return f"; it holds {many(documents.documents, 'document')} ({size(documents.size_bytes or 0)}){written}"


def _look(seen: Seen) -> Sequence[str]:
    asked = "db.serverStatus().connections"
    return [
        f'railway ssh --service {name_of(seen)} -- sh -c \'mongosh --quiet "$MONGO_URL" --eval "{asked}"\'',
        f"railway logs --service {name_of(seen)} --lines 200   # each connection has a line",
    ]

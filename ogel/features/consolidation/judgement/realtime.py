"""Realtime: who has channels keeps it as long as Ogel does not speak its dialect; without channels it can go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from ogel.features.consolidation.judgement.verdict import (
    Judgement,
    keep,
    many,
    name_of,
    refer,
    removal,
    remove,
    remove_silent,
    return_of,
    unknown,
    unseen_use,
)
from ogel.features.consolidation.seen import Seen
from ogel.features.consolidation.use.tables import rows, table

DIALECT = "/realtime/v1"


def judge(seen: Seen, speaks: Collection[str], now: datetime, days: float) -> Judgement:
    """`speaks`: the prefixes that Ogel answers itself."""
    others = seen.referred_by("kong", "envoy", "nginx")
    use = _use(seen, now, days)
    if use is not None or others:
        by = refer(others) if others else ""
        said = "; ".join(each for each in (use, by) if each)
        reason = f"{said[0].upper()}{said[1:]}."
        if DIALECT in speaks:
            return _replace(seen, reason)
        return keep(
            f"{reason} Ogel's own realtime speaks another protocol (docs/realtime.md): clients would change."
        )
    nobody = (
        "Nobody subscribes: no service but the gateway refers to it, and no channel was joined in these days."
    )
    hazard = "An app that opens a channel only now and then would get no answer. It holds no data of its own."
    if unseen_use(seen) is None:
        return remove_silent(seen, nobody, hazard)
    if seen.referrers is not None and _is_idle(seen):
        return remove(seen, nobody, hazard)
    return unknown(seen, "Whether anybody joins channels was not seen.", look=_look(seen))


def _use(seen: Seen, now: datetime, days: float) -> str | None:
    said = []
    subscriptions = rows(seen.databases, "realtime", "subscription")
    if subscriptions:
        said.append(f"{many(subscriptions, 'subscription')} to changes of tables")
    messages = table(seen.databases, "realtime", "messages")
    if messages is not None and messages.newest is not None and messages.newest > now - timedelta(days=days):
        said.append("messages were sent through channels in these days")
    if seen.used:
        said.append(f"requests or connections in these days: {seen.used:,}")
    return "; ".join(said) or None


def _is_idle(seen: Seen) -> bool:
    """Looked into, and nothing there: a log that tells nothing is not needed then, since subscriptions are rows."""
    return rows(seen.databases, "realtime", "subscription") == 0 and any(
        each.tells or each.lines for each in seen.requests
    )


def _replace(seen: Seen, reason: str) -> Judgement:
    return Judgement(
        "replace",
        f"{reason} Ogel speaks its dialect at {DIALECT}.",
        "medium",
        "Every client joins its channels anew; see docs/realtime.md for what it hears of tables.",
        steps=[f"Point clients at Ogel's {DIALECT}, one of them first.", *removal(seen)],
        back=return_of(seen, also=["Point the clients back."]),
    )


def _look(seen: Seen) -> Sequence[str]:
    return [
        "ogel consolidate --look-inside   # counts subscriptions in the project's database",
        f"railway ssh --service {name_of(seen)} -- curl -s http://localhost:4000/healthcheck",
        f"railway logs --service {name_of(seen)} --lines 200",
    ]

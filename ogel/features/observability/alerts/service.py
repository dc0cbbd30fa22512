"""Evaluates the alert rules: for requests, and once a minute to raise and clear alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog
from msgspec import Struct

from ogel.features.observability.alerts.rules import Alert, AlertFinding, findings, gone, next_state
from ogel.features.observability.alerts.store import AlertStore
from ogel.features.observability.resources.sampler import Sampler
from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.alerts import AlertRule, Level
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.http.route import Timestamp
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

RAISED, CLEARED = "platform.alert.raised", "platform.alert.cleared"
# Without a check for this long, no worker or scheduler is running that could raise alerts.
LATE = timedelta(minutes=5)
_Key = tuple[str, str]
_Status = Literal["ok", "warning", "critical"]


class AlertItem(Struct, frozen=True):
    """
    subject    the queue or process it is about; null where there is only one.
    is_over    by present numbers; an alert is raised by two checks in a row, a minute apart, and cleared likewise.
    since      when it was raised; otherwise when it was cleared, or null.
    runbook    the page that says what to do, in Ogel's repository; null when this version has no such rule.
    """

    name: str
    subject: str | None
    level: Level
    raised: bool
    is_over: bool
    since: Timestamp | None
    value: float
    threshold: float
    runbook: str | None


class Checked(Struct, frozen=True):
    """
    `status` is the worst level of the raised alerts or, while no worker checks them, of those over their limit. Raised
    alerts come first.
    """

    status: _Status
    items: list[AlertItem]
    checked_at: Timestamp


class AlertService:
    def __init__(
        self,
        database: Database,
        store: AlertStore,
        outbox: Outbox,
        sampler: Sampler,
        rules: Callable[[], Sequence[AlertRule]],
    ) -> None:
        """`rules` returns the rules of all features; it is called at each check."""
        self._database = database
        self._store = store
        self._outbox = outbox
        self._sampler = sampler
        self._rules = rules

    async def look(self) -> Checked:
        """Changes nothing, so requests do not influence when alerts are raised and cleared."""
        found = findings(self._rules(), await self._sampler.quickly())
        async with self._database.autocommit() as tx:
            known = {_key(alert): alert for alert in await self._store.all(tx)}
        items = [_item(each, known.get(_key(each))) for each in found]
        fresh = {_key(each) for each in found}
        pages = self._pages()
        items += [
            _item(gone(each, pages.get(each.name)), each)
            for key, each in known.items()
            if each.raised and key not in fresh
        ]
        items.sort(key=lambda item: (not item.raised, not item.is_over, item.name, item.subject or ""))
        now = utc_now()
        last_tick = max((alert.checked_by for alert in known.values()), default="")
        checked = last_tick > rfc3339(now - LATE)
        return Checked(
            _worst([each for each in items if (each.raised if checked else each.is_over)]), items, now
        )

    async def check(self, tick: str) -> None:
        """Publishes events of raised and cleared alerts in the same transaction. Repeating a tick changes nothing."""
        found = findings(self._rules(), await self._sampler.quickly())
        async with self._database.transaction() as tx:
            await self._store.lock(tx)
            known = {_key(alert): alert for alert in await self._store.all(tx)}
            fresh = {_key(each) for each in found}
            lost = [each for key, each in known.items() if key not in fresh and self._is_gone(each)]
            now = utc_now()
            states = [
                next_state(known.get(_key(each)), each, now, tick)
                for each in (*found, *map(gone, lost))
                if (before := known.get(_key(each))) is None or before.checked_by != tick
            ]
            over_and_done = [each for each in states if _key(each) not in fresh and not each.raised]
            await self._store.write(tx, states)
            await self._store.forget(tx, over_and_done)
            await self._tell(tx, [each for each in states if _changed(known.get(_key(each)), each)], now)

    def _is_gone(self, alert: Alert) -> bool:
        """
        Whether the subject no longer exists, or the rule belongs to another version, so that no present number exists.
        """
        return bool(alert.subject) or alert.name not in {rule.name for rule in self._rules()}

    def _pages(self) -> dict[str, str]:
        return {rule.name: rule.page for rule in self._rules()}

    async def _tell(self, tx: Transaction, changed: Sequence[Alert], now: datetime) -> None:
        events, pages = [], self._pages()
        for alert in changed:
            runbook = pages.get(alert.name)
            write = log.warning if alert.raised else log.info
            write(
                "alert.raised" if alert.raised else "alert.cleared",
                alert=alert.name,
                subject=alert.subject or None,
                value=alert.value,
                threshold=alert.threshold,
                runbook=runbook,
            )
            data = {
                "name": alert.name,
                "subject": alert.subject or None,
                "level": alert.level,
                "value": alert.value,
                "threshold": alert.threshold,
                "since": alert.since,
                "runbook": runbook,
            }
            type = RAISED if alert.raised else CLEARED
            events.append(Event(new_id("evt"), type, msgspec.json.encode(data), alert.name, now))
        if events:
            await self._outbox.publish(tx, events)


def _worst(items: Sequence[AlertItem]) -> _Status:
    levels = {item.level for item in items}
    return "critical" if "critical" in levels else "warning" if levels else "ok"


def _changed(before: Alert | None, after: Alert) -> bool:
    return after.raised != (before.raised if before else False)


def _key(each: Alert | AlertFinding) -> _Key:
    return each.name, each.subject


def _item(found: AlertFinding, known: Alert | None) -> AlertItem:
    return AlertItem(
        found.name,
        found.subject or None,
        found.level,
        known.raised if known else False,
        found.is_over,
        known.since if known else None,
        found.value,
        found.threshold,
        found.runbook,
    )

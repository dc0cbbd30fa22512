"""The rules of replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ogel.features.webhooks.replays.jobs import step_job
from ogel.features.webhooks.replays.replay import DryRun, NewReplay, Range, Replay, Tally
from ogel.features.webhooks.replays.store import ReplayStore
from ogel.features.webhooks.replays.walk import count, start_of
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.event import glob_to_like
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.store import JobQueue

# How long an answer may wait for counting. What a dry run does not reach it says; for a replay its steps count on.
DRY_RUN_SECONDS, CREATE_SECONDS = 10.0, 1.0
# No event is older; what is asked of earlier times cannot be read back.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class ReplayService:
    def __init__(self, database: Database, store: ReplayStore, jobs: JobQueue, audit: AuditTrail) -> None:
        self._database = database
        self._store = store
        self._jobs = jobs
        self._audit = audit

    async def dry_run(self, webhook_id: str, new: NewReplay) -> DryRun:
        about = _range(webhook_id, new)
        tally = await self._count(about, DRY_RUN_SECONDS)
        return DryRun(
            count=tally.replayable,
            skipped=tally.pending,
            complete=tally.complete,
            webhook=webhook_id,
            since=about.since,
            until=about.until,
            only=about.only,
            events=about.event_globs,
        )

    async def create(self, caller: Caller, webhook_id: str, new: NewReplay) -> Replay:
        """
        Only one at a time for each endpoint. It begins at once, whatever the endpoint's state: deliveries of a paused
        endpoint wait, and when many wait the replay waits too.
        """
        about = _range(webhook_id, new)
        async with self._database.autocommit() as tx:
            _refuse_second(await self._store.unfinished(tx, webhook_id), webhook_id)
        tally = await self._count(about, CREATE_SECONDS)
        id = new_id("rpl")
        async with self._database.transaction() as tx:
            if await self._store.hold_listener(tx, webhook_id) is None:
                raise _no_webhook(webhook_id)
            if not await self._store.insert(tx, id, about, new.per_second, start_of(about), tally):
                _refuse_second(await self._store.unfinished(tx, webhook_id), webhook_id)
            await self._jobs.enqueue(tx, [step_job(id, webhook_id, 0)])
            metadata = {
                "replay": id,
                "since": about.since.isoformat(),
                "until": about.until.isoformat(),
                "only": about.only,
                "events": about.event_globs,
            }
            await self._audit.record(tx, caller, "webhook.replay", "webhook", webhook_id, metadata)
            return await self._get(tx, id)

    async def get(self, id: str) -> Replay:
        async with self._database.autocommit() as tx:
            return await self._get(tx, id)

    async def list(self, filters: Mapping[str, Any]) -> Sequence[Replay]:
        """Raises Invalid for an unknown webhook that has no replays either."""
        webhook = filters["webhook"]
        async with self._database.autocommit() as tx:
            found = await self._store.list(tx, filters)
            if not found and webhook is not None and await self._store.listener(tx, webhook) is None:
                raise Invalid.field("query.webhook", f"there is no webhook {webhook!r}")
        return found

    async def pause(self, caller: Caller, id: str) -> Replay:
        """
        Deliveries already handed over are sent, but no more are handed over. Pausing a paused replay changes nothing.
        """
        async with self._database.transaction() as tx:
            if await self._store.pause(tx, id):
                await self._audit.record(tx, caller, "replay.pause", "replay", id)
            return _in_state(await self._get(tx, id), "paused")

    async def resume(self, caller: Caller, id: str) -> Replay:
        async with self._database.transaction() as tx:
            step = await self._store.resume(tx, id)
            replay = _in_state(await self._get(tx, id), "running")
            if step is not None:
                await self._jobs.enqueue(tx, [step_job(id, replay.webhook, step)])
                await self._audit.record(tx, caller, "replay.resume", "replay", id)
            return replay

    async def cancel(self, caller: Caller, id: str) -> Replay:
        """Like a pause that cannot be ended."""
        async with self._database.transaction() as tx:
            if await self._store.cancel(tx, id):
                await self._audit.record(tx, caller, "replay.cancel", "replay", id)
            return _in_state(await self._get(tx, id), "cancelled")

    async def _count(self, about: Range, seconds: float) -> Tally:
        async with self._database.autocommit() as tx:
            listener = await self._store.listener(tx, about.webhook_id)
            if listener is None:
                raise _no_webhook(about.webhook_id)
            return await count(tx, about, listener, Tally(start_of(about)), seconds)

    async def _get(self, tx: Transaction, id: str) -> Replay:
        replay = await self._store.get(tx, id)
        if replay is None:
            raise NotFound(f"No replay {id!r}.")
        return replay


def _range(webhook_id: str, new: NewReplay) -> Range:
    now = utc_now()
    if new.since > now:
        raise Invalid.field("body.since", "lies in the future")
    if new.until is not None and new.until < new.since:
        raise Invalid.field("body.until", "lies before body.since")
    globs = new.events or ["*"]
    return Range(
        webhook_id=webhook_id,
        since=max(new.since, _EARLIEST),
        until=max(_EARLIEST, min(new.until or now, now)),
        only=new.only,
        event_globs=globs,
        event_likes=[glob_to_like(glob) for glob in globs],
        asked_at=now,
    )


def _refuse_second(unfinished: str | None, webhook_id: str) -> None:
    if unfinished is not None:
        raise Conflict(
            f"Webhook {webhook_id!r} has the unfinished replay {unfinished!r}: wait for it or cancel it."
        )


def _in_state(replay: Replay, status: str) -> Replay:
    if replay.status != status:
        raise Conflict(f"Replay {replay.id!r} is {replay.status}.")
    return replay


def _no_webhook(id: str) -> NotFound:
    return NotFound(f"No webhook {id!r}.")

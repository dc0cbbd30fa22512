"""The webhook_replays table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogel.features.webhooks.replays.replay import (
    Range,
    Replay,
    ReplayCursor,
    ReplayProgress,
    ReplayStatus,
    ReplayTarget,
    Tally,
)
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class ReplayStore:
    async def listener(self, tx: Transaction, webhook_id: str) -> ReplayTarget | None:
        return _listener(await tx.tuples(_SQL.listener, {"webhook_id": webhook_id}))

    async def hold_listener(self, tx: Transaction, webhook_id: str) -> ReplayTarget | None:
        """Locks the endpoint until the transaction ends."""
        return _listener(await tx.tuples(_SQL.hold_listener, {"webhook_id": webhook_id}))

    async def insert(
        self,
        tx: Transaction,
        id: str,
        range: Range,
        per_second: int | None,
        start: ReplayCursor,
        tally: Tally,
    ) -> bool:
        """Returns False when the endpoint has an unfinished replay."""
        parameters = {
            "id": id,
            "webhook_id": range.webhook_id,
            "since": range.since,
            "until": range.until,
            "only": range.only,
            "event_globs": range.event_globs,
            "event_likes": range.event_likes,
            "per_second": per_second,
            "cursor_at": start.at,
            "cursor_id": start.id,
            **_counted(tally),
        }
        return await tx.value(_SQL.insert_replay, parameters) is not None

    async def unfinished(self, tx: Transaction, webhook_id: str) -> str | None:
        found: str | None = await tx.value(_SQL.unfinished, {"webhook_id": webhook_id})
        return found

    async def get(self, tx: Transaction, id: str) -> Replay | None:
        return await tx.one(_SQL.get_replay, {"id": id}, Replay)

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[Replay]:
        return await tx.all(_SQL.list_replays, filters, Replay)

    async def lock_progress(self, tx: Transaction, id: str, step: int) -> ReplayProgress | None:
        """Returns None when this step must not run: the replay is paused or over, or the step is done."""
        rows = await tx.tuples(_SQL.lock_progress, {"id": id, "step": step})
        return _progress(rows[0]) if rows else None

    async def advance(
        self,
        tx: Transaction,
        id: str,
        progress: ReplayProgress,
        replayed: int,
        skipped: int,
        status: ReplayStatus,
    ) -> None:
        """Moves to the next step; `replayed` and `skipped` are the numbers of this one."""
        parameters = {
            "id": id,
            "waits": progress.waits,
            "cursor_at": progress.cursor.at,
            "cursor_id": progress.cursor.id,
            "replayed": replayed,
            "skipped": skipped,
            "status": status,
            **_counted(progress.tally),
        }
        await tx.execute(_SQL.advance, parameters)

    async def pause(self, tx: Transaction, id: str) -> bool:
        return await tx.execute(_SQL.pause, {"id": id}) > 0

    async def resume(self, tx: Transaction, id: str) -> int | None:
        """Returns the step to do next; None when the replay was not paused."""
        step: int | None = await tx.value(_SQL.resume, {"id": id})
        return step

    async def cancel(self, tx: Transaction, id: str) -> bool:
        return await tx.execute(_SQL.cancel, {"id": id}) > 0

    async def cancel_of_webhook(self, tx: Transaction, webhook_id: str) -> None:
        await tx.execute(_SQL.cancel_of_webhook, {"webhook_id": webhook_id})

    async def stop(self, tx: Transaction, id: str, step: int, error: str) -> None:
        """Pauses the replay until it is resumed, or until the job of this step is revived."""
        await tx.execute(_SQL.stop, {"id": id, "step": step, "error": error})

    async def go_on(self, tx: Transaction, id: str, step: int) -> None:
        await tx.execute(_SQL.go_on, {"id": id, "step": step})


def _listener(rows: Sequence[tuple[Any, ...]]) -> ReplayTarget | None:
    return ReplayTarget(*rows[0]) if rows else None


def _counted(tally: Tally) -> dict[str, Any]:
    return {
        "counted_at": tally.cursor.at,
        "counted_id": tally.cursor.id,
        "counted": tally.total,
        "is_counted": tally.complete,
    }


def _progress(row: tuple[Any, ...]) -> ReplayProgress:
    webhook_id, since, until, only, globs, likes, per_second, waits, *rest = row
    cursor_at, cursor_id, counted_at, counted_id, counted, is_counted, created_at = rest
    return ReplayProgress(
        Range(webhook_id, since, until, only, globs, likes, created_at),
        per_second,
        waits,
        ReplayCursor(cursor_at, cursor_id),
        Tally(ReplayCursor(counted_at, counted_id), counted, 0, is_counted),
    )

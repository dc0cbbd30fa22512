"""Makes blobs objects for those whom no policy stops: uploads that end together share a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg import errors

from ogel.features.storage.blobs.blob import Filled
from ogel.features.storage.blobs.service import quotas_told
from ogel.features.storage.events import OBJECT_CREATED, OBJECT_UPDATED, object_event
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.store import OTHERWISE_NOW, WRITTEN, ObjectRow, written
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import random_uuid
from ogel.runtime.database.database import Database
from ogel.runtime.outbox import Outbox
from ogel.runtime.together import Together

_MOST = 64
_NO_BUCKET = errors.ForeignKeyViolation.sqlstate


class Commit(Struct, frozen=True):
    """`replaces`: the object that is there, as it was last seen; None: there was none."""

    row: ObjectRow
    filled: Filled
    replaces: StoredObject | None


class Commits:
    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._together = Together(self._perform, _MOST)

    async def commit(self, commit: Commit) -> StoredObject | None:
        """
        Returns None, with nothing written, when the object or its blob are not as they were seen. Raises StorageError
        QuotaExceeded.
        """
        async with quotas_told():
            return await self._together.ask(commit)

    async def _perform(self, commits: Sequence[Commit]) -> Sequence[StoredObject | None]:
        try:
            return await self._write(commits)
        except errors.Error as error:
            # That there is no bucket any more is found out once more, and told.
            if len(commits) > 1 or error.sqlstate not in (OTHERWISE_NOW, _NO_BUCKET):
                raise
            return [None]

    async def _write(self, commits: Sequence[Commit]) -> Sequence[StoredObject]:
        ids = [commit.replaces.id if commit.replaces else random_uuid() for commit in commits]
        rows = written([_row(commit, id) for commit, id in zip(commits, ids, strict=True)])
        about = utc_now()
        events = [_event(commit, id, about) for commit, id in zip(commits, ids, strict=True)]
        async with self._database.autocommit() as tx:
            publication = await self._outbox.publish_at_once(tx, events, rows)
        if publication is None:  # it has too many listeners for one statement
            async with self._database.transaction() as tx:
                publication = await self._outbox.publish(tx, events, more=rows)
        [moment] = map(datetime.fromisoformat, publication.said[WRITTEN])
        return [_stored(commit, id, moment) for commit, id in zip(commits, ids, strict=True)]


def _event(commit: Commit, id: UUID, about: datetime) -> Event:
    type = OBJECT_UPDATED if commit.replaces else OBJECT_CREATED
    return object_event(type, _stored(commit, id, about))


def _row(commit: Commit, id: UUID) -> dict[str, Any]:
    row, filled = commit.row, commit.filled
    return {
        **{name: getattr(row, name) for name in ObjectRow.__struct_fields__},
        "id": id,
        "sha256": None if row.sha256 is None else row.sha256.hex(),
        "replaced": None if commit.replaces is None else commit.replaces.version,
        "key": filled.intent.key,
        "size": filled.size,
        "md5": filled.md5.hex(),
    }


def _stored(commit: Commit, id: UUID, moment: datetime) -> StoredObject:
    row = commit.row
    return StoredObject(
        id=id,
        bucket_id=row.bucket,
        name=row.name,
        owner=None if row.owner is None else UUID(row.owner),
        owner_id=row.owner,
        version=row.version,
        metadata=row.metadata,
        user_metadata=row.user_metadata,
        sha256=row.sha256,
        scan_state=row.scan_state,
        expires_at=row.expires_at,
        created_at=moment if commit.replaces is None else commit.replaces.created_at,
        updated_at=moment,
        last_accessed_at=moment,
    )

"""The manifest of storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.features.storage.events import EVENTS
from ogel.features.storage.policy import READ, WRITE
from ogel.features.storage.reaping import KIND, SCHEDULE, Reaper
from ogel.features.storage.services import Storage
from ogel.features.storage.settings import StorageSettings
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind

if TYPE_CHECKING:
    from ogel.runtime.http.dialect import Dialect


class StorageFeature:
    """Imports and builds what the manifest names when it is asked for."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def dialects(self) -> Sequence[Dialect]:
        from ogel.features.storage.supabase.dialect import supabase

        return [supabase(self._storage)]


def build(core: Core, settings: StorageSettings) -> Feature:
    storage = Storage(core, settings)
    feature = StorageFeature(storage)
    return Feature(
        name="storage",
        dialects=feature.dialects,
        scopes={
            READ: "look at and download all objects",
            WRITE: "make, change and delete buckets and objects",
        },
        jobs=[JobKind(KIND, queue="cleanup", perform=Reaper(storage.blobs).perform)],
        schedules=[SCHEDULE],
        events=EVENTS,
        tables=["buckets", "objects", "s3_keys", "storage_blobs", "storage_quotas", "storage_uploads"],
        settings=settings,
        offers=storage,
    )

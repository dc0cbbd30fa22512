"""The manifest of storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.features.storage.blobs.encryption import key_purpose
from ogel.features.storage.events import EVENTS
from ogel.features.storage.objects.emptying import KIND as EMPTY
from ogel.features.storage.policy import READ, WRITE
from ogel.features.storage.reaping import SCHEDULES, Reaper
from ogel.features.storage.resumable.store import purge
from ogel.features.storage.services import Storage
from ogel.features.storage.settings import StorageSettings
from ogel.features.storage.tending import SCHEDULE as TEND
from ogel.features.storage.tending import Tending
from ogel.features.storage.upkeep.restored import RESTORED
from ogel.features.storage.upkeep.verifying import INCONSISTENT, Verifying
from ogel.features.storage.upkeep.verifying import SCHEDULE as VERIFYING
from ogel.features.storage.usage.samples import ALERTS, UsageSamples
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.secrets.sealed import SealedColumn

if TYPE_CHECKING:
    from ogel.runtime.http.dialect import Dialect
    from ogel.runtime.http.route import Route
    from ogel.runtime.scanning import Scanner

SEALED = [
    SealedColumn("storage_blobs", "key", "sealed_key", owner="key", purpose=key_purpose),
]


class StorageFeature:
    """Imports and builds what the manifest names when it is asked for."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def routes(self) -> Sequence[Route]:
        from ogel.features.storage.buckets.routes import OwnBucketRoutes
        from ogel.features.storage.direct.routes import DirectRoutes
        from ogel.features.storage.forms.routes import FormRoutes
        from ogel.features.storage.upkeep.routes import UpkeepRoutes
        from ogel.features.storage.usage.routes import UsageRoutes

        storage = self._storage
        return [
            *OwnBucketRoutes(storage.buckets, storage.quotas).routes(),
            *FormRoutes(storage.form_uploads, storage.settings.most_bytes).routes(),
            *UsageRoutes(storage.usage).routes(),
            *UpkeepRoutes(storage.upkeep).routes(),
            *DirectRoutes(storage.direct_uploads).routes(),
        ]

    def dialects(self) -> Sequence[Dialect]:
        from ogel.features.storage.s3.dialect import dialects as s3
        from ogel.features.storage.supabase.dialect import supabase
        from ogel.features.storage.supabase.resumable import tus_dialect

        return [
            supabase(self._storage),
            *s3(self._storage),
            tus_dialect(self._storage.uploads, self._storage.signer, self._storage.settings.most_bytes),
        ]


def build(core: Core, settings: StorageSettings) -> Feature:
    storage = Storage(core, settings, _scanner(settings))
    feature = StorageFeature(storage)
    usage = UsageSamples(storage.usage)
    return Feature(
        name="storage",
        routes=feature.routes,
        dialects=feature.dialects,
        scopes={
            READ: "look at and download all objects",
            WRITE: "make, change and delete buckets and objects",
        },
        jobs=[
            *Reaper(storage.blobs, core.objects, core.registry).kinds(),
            JobKind(EMPTY, queue="cleanup", perform=storage.emptying.perform),
            storage.scans.kind(),
            Tending(storage.lifecycle, storage.scans, storage.quotas).kind(),
            Verifying(storage).kind(),
        ],
        schedules=[*SCHEDULES, TEND, VERIFYING],
        purges=[purge(), storage.lifecycle.purge()],
        events={**EVENTS, INCONSISTENT: "the store is not as what is known of it says"},
        tables=["buckets", "objects", "s3_keys", "storage_blobs", "storage_quotas", "storage_uploads"],
        left_out={"storage_uploads": "what came of them may be gone, or another suite's by now"},
        restored=[RESTORED],
        settings=settings,
        samples=[usage.samples],
        alerts=ALERTS,
        peaks={"storage.bytes": usage.take_peak},
        offers=storage,
    )


def _scanner(settings: StorageSettings) -> Scanner | None:
    if settings.clamav is None:
        return None
    from ogel.adapters.clamav import Clamav

    return Clamav(*settings.clamav)

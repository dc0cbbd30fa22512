"""The services of storage, each built when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.blobs.store import BlobStore
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.objects.store import ObjectRows
from ogel.features.storage.quotas.service import QuotaService
from ogel.features.storage.quotas.store import QuotaStore

if TYPE_CHECKING:
    from ogel.features.storage.blobs.verify import Verifier
    from ogel.features.storage.buckets.service import BucketService
    from ogel.features.storage.direct.service import DirectUploads
    from ogel.features.storage.forms.service import FormUploads
    from ogel.features.storage.images.pool import ImagePool
    from ogel.features.storage.images.service import ImageService
    from ogel.features.storage.lifecycle.service import Lifecycle
    from ogel.features.storage.objects.emptying import Emptying
    from ogel.features.storage.objects.listing import ObjectLister
    from ogel.features.storage.objects.looking import Lookout
    from ogel.features.storage.objects.moving import ObjectCopier, ObjectMover
    from ogel.features.storage.objects.reading import ObjectReader
    from ogel.features.storage.objects.removing import ObjectRemover
    from ogel.features.storage.objects.writing import ObjectWriter
    from ogel.features.storage.resumable.service import UploadService
    from ogel.features.storage.s3.uploads.service import MultipartService
    from ogel.features.storage.scanning.service import Scans
    from ogel.features.storage.serving import ObjectServing
    from ogel.features.storage.settings import StorageSettings
    from ogel.features.storage.signing.service import UrlSigner
    from ogel.features.storage.upkeep.service import Upkeep
    from ogel.features.storage.usage.service import UsageService
    from ogel.runtime.core import Core
    from ogel.runtime.scanning import Scanner


class Storage:
    """Several protocols stand on these: a rule is kept here, or in what is made here, and never in a dialect."""

    def __init__(self, core: Core, settings: StorageSettings, scanner: Scanner | None = None) -> None:
        self.core = core
        self._scanner = scanner
        self.settings = settings
        self.bucket_store = BucketStore()
        self.object_rows = ObjectRows()
        self.blob_store = BlobStore()
        self.blobs = BlobService(core.database, core.objects, self.blob_store, core.vault)
        self.quotas = QuotaService(core.database, QuotaStore(), settings.user_bytes)

    @cached_property
    def buckets(self) -> BucketService:
        from ogel.features.storage.buckets.service import BucketService

        core = self.core
        return BucketService(
            core.database,
            self.bucket_store,
            self.emptying,
            core.outbox,
            core.audit,
            self.quotas,
            self.scans,
            self.settings.most_bytes,
        )

    @cached_property
    def emptying(self) -> Emptying:
        from ogel.features.storage.objects.emptying import Emptying

        core = self.core
        return Emptying(core.database, self.object_rows, core.outbox, core.jobs)

    @cached_property
    def writer(self) -> ObjectWriter:
        from ogel.features.storage.blobs.announced import AnnouncedBlobs
        from ogel.features.storage.objects.writing import ObjectWriter

        core, most = self.core, self.settings.most_bytes
        return ObjectWriter(
            core.database,
            self.bucket_store,
            self.object_rows,
            self.blobs,
            self.quotas,
            core.outbox,
            self.scans,
            self.lookout,
            AnnouncedBlobs(core.database, self.blob_store),
            most,
        )

    @cached_property
    def lookout(self) -> Lookout:
        from ogel.features.storage.objects.looking import Lookout

        return Lookout(self.core.database, self.object_rows)

    @cached_property
    def reader(self) -> ObjectReader:
        from ogel.features.storage.objects.reading import ObjectReader

        return ObjectReader(self.core.database, self.object_rows, self.blobs, self.lookout)

    @cached_property
    def serving(self) -> ObjectServing:
        from ogel.features.storage.serving import ObjectServing

        return ObjectServing(self.core.database, self.bucket_store, self.core.objects)

    @cached_property
    def signer(self) -> UrlSigner:
        from ogel.features.storage.signing.service import UrlSigner
        from ogel.features.storage.signing.tokens import UrlTokens

        core, seconds = self.core, self.settings.upload_url_seconds
        return UrlSigner(core.database, self.reader, self.writer, UrlTokens(core.vault), seconds)

    @cached_property
    def remover(self) -> ObjectRemover:
        from ogel.features.storage.objects.removing import ObjectRemover

        return ObjectRemover(self.core.database, self.object_rows, self.core.outbox)

    @cached_property
    def lister(self) -> ObjectLister:
        from ogel.features.storage.objects.listing import ObjectLister

        return ObjectLister(self.core.database)

    @cached_property
    def mover(self) -> ObjectMover:
        from ogel.features.storage.objects.moving import ObjectMover

        core = self.core
        return ObjectMover(
            core.database,
            self.bucket_store,
            self.object_rows,
            self.reader,
            self.writer,
            self.blobs,
            core.outbox,
            self.scans,
        )

    @cached_property
    def copier(self) -> ObjectCopier:
        from ogel.features.storage.objects.moving import ObjectCopier

        return ObjectCopier(self.core.database, self.reader, self.writer, self.blobs)

    @cached_property
    def image_pool(self) -> ImagePool:
        from ogel.features.storage.images.pool import ImagePool

        return ImagePool()

    @cached_property
    def images(self) -> ImageService:
        from ogel.features.storage.images.service import ImageService
        from ogel.features.storage.images.store import RenditionStore

        return ImageService(self.core.database, self.blobs, RenditionStore(), self.image_pool)

    @cached_property
    def form_uploads(self) -> FormUploads:
        from ogel.features.storage.forms.service import FormUploads

        return FormUploads(self.buckets, self.writer)

    @cached_property
    def usage(self) -> UsageService:
        from ogel.features.storage.usage.service import UsageService

        return UsageService(self.core.database, self.core.objects)

    @cached_property
    def upkeep(self) -> Upkeep:
        from ogel.features.storage.upkeep.service import Upkeep

        return Upkeep(self.core.database, self.core.jobs, self.core.audit)

    @cached_property
    def uploads(self) -> UploadService:
        from ogel.features.storage.resumable.service import UploadService
        from ogel.features.storage.resumable.store import UploadStore
        from ogel.features.storage.sniffing.sniff import inspected

        settings = self.settings
        return UploadService(
            self.core.database,
            UploadStore(),
            self.bucket_store,
            self.blobs,
            self.writer,
            inspected,
            settings.most_bytes,
            settings.upload_hours * 3600.0,
        )

    @cached_property
    def scans(self) -> Scans:
        from ogel.features.storage.scanning.service import Scans
        from ogel.features.storage.scanning.store import ScanStore

        core = self.core
        return Scans(core.database, ScanStore(), self.blobs, core.outbox, core.jobs, self._scanner)

    @cached_property
    def lifecycle(self) -> Lifecycle:
        from ogel.features.storage.lifecycle.service import Lifecycle
        from ogel.features.storage.lifecycle.store import LifecycleStore

        return Lifecycle(self.core.database, LifecycleStore(), self.core.outbox)

    @cached_property
    def s3_uploads(self) -> MultipartService:
        from ogel.features.storage.s3.uploads.service import MultipartService
        from ogel.features.storage.s3.uploads.store import MultipartStore
        from ogel.features.storage.sniffing.sniff import inspected

        return MultipartService(self.core.database, MultipartStore(), self.writer, self.blobs, inspected)

    @cached_property
    def verifier(self) -> Verifier:
        from ogel.features.storage.blobs.verify import Verifier

        return Verifier(self.core.database, self.core.objects, self.blobs)

    @cached_property
    def direct_uploads(self) -> DirectUploads:
        from ogel.features.storage.direct.service import DirectUploads
        from ogel.features.storage.direct.store import DirectStore
        from ogel.features.storage.sniffing.sniff import inspected

        core = self.core
        return DirectUploads(
            core.database,
            DirectStore(),
            self.bucket_store,
            core.objects,
            self.blobs,
            self.writer,
            self.reader,
            inspected,
        )

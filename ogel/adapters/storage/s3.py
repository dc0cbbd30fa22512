"""Objects in a bucket of any S3-compatible service."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from msgspec import Struct

from ogel.adapters.storage.threads import in_pages, in_thread
from ogel.kernel.errors import ConfigError, Unavailable
from ogel.runtime.objects import Entry, ObjectMissing, StoreFull, Written, check_key, check_prefix
from ogel.runtime.secrets.scrub import Scrubber

if TYPE_CHECKING:
    from minio import Minio
    from urllib3 import PoolManager

Answer = TypeVar("Answer")

_TIMEOUT_SECONDS = 5.0
# Seconds that a request for objects waits until the service takes or sends the next bytes.
_READ_SECONDS = 20.0
_TRIES = 2
_BACKOFF_SECONDS = 0.2
_READ_BYTES = 256 * 1024
# What is longer goes up in parts of this size, one after the other: it is also what a put holds in memory, twice.
# The least part S3 takes is 5 MiB, and the most parts are 10,000.
PART_BYTES = 8 * 1024 * 1024
# Puts at once; others wait. They have threads of their own, since each occupies one until its content has come.
_UPLOADS = 4
_AWAY_STATUS = (429, 500, 502, 503, 504)
_FULL_CODES = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageQuotaExceeded")
_CODE_CHARACTERS = 100
_MISSING_CODES = ("NoSuchKey", "NoSuchObject", "ResourceNotFound")


class Bucket(Struct, frozen=True):
    """`endpoint` is `http(s)://host[:port]`."""

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc


class BucketObjects:
    """
    The service checks each part against its checksum, and shows an object once it is whole. What a put that was killed
    has sent stays in the bucket, unseen and paid for, until `sweep` or a lifecycle rule of the bucket ends it.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._uploads = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="s3-put")

    async def put(self, key: str, content: AsyncIterable[bytes]) -> Written:
        check_key(key)
        reader = _Reader(content, asyncio.get_running_loop())

        def upload() -> None:
            self._client.put_object(
                self._bucket.name,
                key,
                cast(Any, reader),
                length=-1,
                part_size=PART_BYTES,
                num_parallel_uploads=1,  # with more, its threads would not end when the content breaks off
            )

        work = asyncio.ensure_future(self._do(upload, self._uploads))
        try:
            await asyncio.shield(work)
        except BaseException:
            reader.stop()  # or a cancelled put would go on to the end of its content
            await asyncio.gather(work, return_exceptions=True)
            if reader.error is not None:
                raise reader.error from None
            raise
        return Written(reader.size, reader.digest.hexdigest())

    @asynccontextmanager
    async def get(
        self, key: str, first: int = 0, end: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        check_key(key)
        length = 0 if end is None else end - first  # to minio-py, 0 is all the rest
        response = await self._do(lambda: self._client.get_object(self._bucket.name, key, first, length))

        async def pieces() -> AsyncIterator[bytes]:
            while piece := await self._do(lambda: response.read(_READ_BYTES)):
                yield piece

        try:
            yield pieces()
        finally:
            response.close()
            response.release_conn()

    async def stat(self, key: str) -> Entry | None:
        check_key(key)
        try:
            return _entry(await self._do(lambda: self._client.stat_object(self._bucket.name, key)))
        except ObjectMissing:
            return None

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        check_prefix(prefix)
        with _explained(self._bucket):
            found = self._client.list_objects(self._bucket.name, prefix, recursive=True)
            async for each in in_pages(found):
                if not each.is_dir:
                    yield _entry(each)

    async def delete(self, key: str) -> None:
        check_key(key)
        await self._do(lambda: self._client.remove_object(self._bucket.name, key))

    async def sweep(self, before: datetime) -> int:
        return await self._do(lambda: self._sweep(before))

    async def close(self) -> None:
        self._uploads.shutdown(wait=False, cancel_futures=True)
        if "_http" in self.__dict__:
            self._http.clear()

    async def _do(self, work: Callable[[], Answer], executor: ThreadPoolExecutor | None = None) -> Answer:
        with _explained(self._bucket):
            return await in_thread(work, executor)

    def _sweep(self, before: datetime) -> int:
        gone, client = 0, self._client
        # minio-py has no public functions to list and abort uploads, though it contains them.
        marker: dict[str, str | None] = {}
        while True:
            listed = client._list_multipart_uploads(self._bucket.name, **cast(Any, marker))
            for upload in listed.uploads:
                begun = upload.initiated_time
                if begun is not None and begun < before:
                    client._abort_multipart_upload(
                        self._bucket.name, upload.object_name, cast(str, upload.upload_id)
                    )
                    gone += 1
            if not listed.is_truncated or not listed.next_key_marker:
                return gone
            marker = {
                "key_marker": listed.next_key_marker,
                "upload_id_marker": listed.next_upload_id_marker,
            }

    @cached_property
    def _http(self) -> PoolManager:
        import urllib3

        retries = urllib3.Retry(
            total=_TRIES,
            backoff_factor=_BACKOFF_SECONDS,
            status_forcelist=_AWAY_STATUS,
            raise_on_status=False,
        )
        timeout = urllib3.Timeout(connect=_TIMEOUT_SECONDS, read=_READ_SECONDS)
        return urllib3.PoolManager(timeout=timeout, retries=retries, maxsize=_UPLOADS * 2)

    @cached_property
    def _client(self) -> Minio:
        return _minio(self._bucket, self._http)


class _Reader:
    """A reader for minio-py's thread of content that the event loop produces."""

    def __init__(self, content: AsyncIterable[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self.error: Exception | None = None
        self._pieces = aiter(content)
        self._loop = loop
        self._rest = b""
        self._asked: Future[bytes | None] | None = None
        self._stopped = False

    def read(self, size: int) -> bytes:
        """Reads that many bytes, or all there are."""
        pieces, length = [self._rest], len(self._rest)
        while length < size and (piece := self._next()) is not None:
            pieces.append(piece)
            length += len(piece)
        joined = b"".join(pieces)
        self._rest = joined[size:]
        return joined[:size]

    def stop(self) -> None:
        """Stops the reading thread at once, even while it waits."""
        self._stopped = True
        if self._asked is not None:
            self._asked.cancel()

    def _next(self) -> bytes | None:
        self._asked = asyncio.run_coroutine_threadsafe(self._ask(), self._loop)
        try:
            piece = self._asked.result()
        except CancelledError:
            raise OSError("the content was broken off") from None
        if piece is not None:
            self.size += len(piece)
            self.digest.update(piece)
        return piece

    async def _ask(self) -> bytes | None:
        if self._stopped:
            raise OSError("the content was broken off")
        try:
            return await anext(self._pieces, None)
        except Exception as error:
            self.error = error
            raise


def _entry(found: Any) -> Entry:
    return Entry(found.object_name, found.size or 0, found.last_modified or datetime.now(UTC))


@contextmanager
def _explained(bucket: Bucket) -> Iterator[None]:
    _require_minio()
    import urllib3
    from minio.error import MinioException, S3Error

    try:
        yield
    except S3Error as error:
        if error.code in _MISSING_CODES:
            raise ObjectMissing(error.object_name or "") from None
        kind = StoreFull if error.code in _FULL_CODES else Unavailable
        raise kind(f"{bucket.host} answered {_reason(error, bucket)}") from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"{bucket.host} did not answer well: {_reason(error, bucket)}") from error


async def check_bucket(bucket: Bucket) -> None:
    """Raises Unavailable with the service's answer; ConfigError without the `s3` extra."""
    async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
        await asyncio.to_thread(_check, bucket)


def _check(bucket: Bucket) -> None:
    _require_minio()
    import urllib3
    from minio.error import MinioException

    with urllib3.PoolManager(timeout=_TIMEOUT_SECONDS, retries=False) as http:
        client = _minio(bucket, http)
        try:
            found = client.bucket_exists(bucket.name)
        except ValueError as error:
            raise ConfigError(f"S3_* cannot be used: {error}") from None
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{bucket.host} did not say yes: {_reason(error, bucket)}") from error
    if not found:
        raise Unavailable(f"there is no bucket {bucket.name!r} at {bucket.host}")


def _require_minio() -> None:
    try:
        import minio  # noqa: F401
    except ImportError:
        raise ConfigError("STORAGE_BACKEND needs an extra that is missing: pip install 'ogel[s3]'") from None


def _minio(bucket: Bucket, http: PoolManager) -> Minio:
    from minio import Minio

    parts = urlsplit(bucket.endpoint)
    if parts.path.strip("/"):
        raise ConfigError(f"S3_* cannot be used: {bucket.endpoint} has a path; name the bucket in S3_BUCKET")
    try:
        return Minio(
            parts.netloc,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            region=bucket.region,
            secure=parts.scheme == "https",
            http_client=http,
        )
    except ValueError as error:
        raise ConfigError(f"S3_* cannot be used: {error}") from None


def _reason(error: Exception, bucket: Bucket) -> str:
    """Returns an S3 error's code, such as AccessDenied; its full text is long XML."""
    code = str(getattr(error, "code", None) or type(error).__name__)
    return Scrubber([bucket.access_key, bucket.secret_key])(code)[:_CODE_CHARACTERS]

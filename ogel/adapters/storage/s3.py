"""Objects in a bucket of any S3-compatible service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ogel.adapters.storage.s3_requests import Bucket, NotDone, Requests, client_of, modified_at
from ogel.adapters.storage.s3_upload import PART_BYTES, Upload
from ogel.adapters.storage.threads import behind, in_pages, in_thread
from ogel.kernel.errors import ConfigError, Unavailable
from ogel.runtime.objects import Entry, ObjectMissing, StoreFull, Written, check_key, check_prefix
from ogel.runtime.secrets.scrub import Scrubber

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["PART_BYTES", "Bucket", "BucketObjects", "check_bucket"]

Answer = TypeVar("Answer")

_TIMEOUT_SECONDS = 5.0
# Seconds that a request for objects waits until the service takes or sends the next bytes.
_READ_SECONDS = 20.0
_TRIES = 2
_BACKOFF_SECONDS = 0.2
# Of twice as many, twenty downloads at once leave as much memory behind as they hold.
_READ_BYTES = 64 * 1024
_SENT_AT_ONCE = 128 * 1024
# Requests at once; others wait. Threads of their own: a service that hangs must not keep others from looking up names.
_THREADS = 16
_AWAY_STATUS = (429, 500, 502, 503, 504)
_FULL_CODES = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageQuotaExceeded")
_CODE_CHARACTERS = 100
_BEHIND_CODE = "InvalidRange"
_MISSING_CODES = ("NoSuchKey", "NoSuchObject", "ResourceNotFound")


class BucketObjects:
    """
    The service checks each part against its checksum, and shows an object once it is whole. What a put that was killed
    has sent stays in the bucket, unseen and paid for, until `sweep` or a lifecycle rule of the bucket ends it.
    """

    in_bucket = True

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")

    async def put(self, key: str, content: AsyncIterable[bytes], length: int | None = None) -> Written:
        check_key(key)
        with _explained(self._bucket):
            requests = self._requests
        upload = Upload(key, length, requests, self._do)
        try:
            written = await behind(content, upload.store)
        except BaseException:
            await upload.give_up()
            raise
        assert written is not None
        return written

    @asynccontextmanager
    async def get(
        self, key: str, first: int = 0, end: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        check_key(key)
        response = await self._opened(key, first, end)

        async def pieces() -> AsyncIterator[bytes]:
            while response is not None and (piece := await self._do(lambda: response.read(_READ_BYTES))):
                yield piece

        try:
            yield pieces()
        finally:
            if response is not None:
                response.close()
                response.release_conn()

    async def copy(self, source: str, target: str) -> None:
        check_key(source), check_key(target)
        await self._do(lambda: self._requests.copy(source, target))

    def presigned_get(
        self, key: str, seconds: int, *, content_type: str | None = None, disposition: str | None = None
    ) -> str | None:
        given = {"response-content-type": content_type, "response-content-disposition": disposition}
        query = {name: value for name, value in given.items() if value is not None}
        return self._requests.presigned("GET", check_key(key), seconds, query, {})

    def presigned_put(
        self, key: str, seconds: int, length: int, *, content_type: str | None = None
    ) -> str | None:
        headers = {"content-length": str(length)}
        if content_type is not None:
            headers["content-type"] = content_type
        return self._requests.presigned("PUT", check_key(key), seconds, {}, headers)

    async def stat(self, key: str) -> Entry | None:
        check_key(key)
        try:
            return _entry(await self._do(lambda: self._requests.stat(key)))
        except ObjectMissing:
            return None

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        check_prefix(prefix)
        with _explained(self._bucket):
            async for each in in_pages(self._requests.list(prefix), self._threads):
                if not each.is_dir:
                    yield _entry(each)

    async def delete(self, key: str) -> None:
        check_key(key)
        await self._do(lambda: self._requests.delete(key))

    async def sweep(self, prefix: str, before: datetime) -> int:
        check_prefix(prefix)
        return await self._do(lambda: self._sweep(prefix, before))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if "_http" in self.__dict__:
            self._http.clear()

    async def _do(self, work: Callable[[], Answer]) -> Answer:
        with _explained(self._bucket):
            return await in_thread(work, self._threads)

    async def _opened(self, key: str, first: int, end: int | None) -> BaseHTTPResponse | None:
        """Returns None for what lies behind the last byte, or is no byte."""
        if end is not None and end <= first:
            await self._do(lambda: self._requests.stat(key))
            return None
        try:
            return await self._do(lambda: self._requests.get(key, first, 0 if end is None else end - first))
        except _Behind:
            return None

    def _sweep(self, prefix: str, before: datetime) -> int:
        gone = 0
        for upload in self._requests.uploads(prefix):
            begun = upload.initiated_time
            if begun is not None and begun < before:
                self._requests.abort(upload.object_name, cast(str, upload.upload_id))
                gone += 1
        return gone

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
        return urllib3.PoolManager(
            timeout=timeout, retries=retries, maxsize=_THREADS, blocksize=_SENT_AT_ONCE
        )

    @cached_property
    def _requests(self) -> Requests:
        _require_minio()
        return Requests(self._bucket, self._http)


class _Behind(Exception):
    """The bytes that were asked for lie behind the last one."""


def _entry(found: Any) -> Entry:
    return Entry(
        found.object_name, found.size or 0, modified_at(found), (found.etag or "").strip('"') or None
    )


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
        if error.code == _BEHIND_CODE:
            raise _Behind from None
        kind = StoreFull if error.code in _FULL_CODES else Unavailable
        raise kind(f"{bucket.host} answered {_reason(error, bucket)}") from error
    except (MinioException, NotDone, urllib3.exceptions.HTTPError, OSError) as error:
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
        client = client_of(bucket, http)
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


def _reason(error: Exception, bucket: Bucket) -> str:
    """Returns an S3 error's code, such as AccessDenied; its full text is long XML."""
    code = str(getattr(error, "code", None) or type(error).__name__)
    return Scrubber([bucket.access_key, bucket.secret_key])(code)[:_CODE_CHARACTERS]

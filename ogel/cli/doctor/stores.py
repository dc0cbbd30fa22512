"""What Ogel leans on beside PostgreSQL and Redis: MongoDB, and where objects are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.cli.doctor.advice import advice_on, containers_hint, reason_of
from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.kernel.errors import ConfigError, OgelError, Unavailable
from ogel.kernel.ids import new_id

if TYPE_CHECKING:
    from ogel.adapters.storage.s3 import Bucket

_S3_ADVICE = (
    ("InvalidAccessKeyId", "S3_ACCESS_KEY is none of this service's"),
    ("SignatureDoesNotMatch", "S3_SECRET_KEY is not that of S3_ACCESS_KEY, or S3_REGION is another one"),
    ("AccessDenied", "the key may not use this bucket, or S3_ACCESS_KEY or S3_SECRET_KEY is wrong"),
    ("RequestTimeTooSkewed", "this machine's clock is wrong: set it by NTP"),
    ("AuthorizationHeaderMalformed", "S3_REGION is another one"),
    ("PermanentRedirect", "the bucket is in another region: correct S3_REGION and S3_ENDPOINT"),
    (
        "SSLError",
        "S3_ENDPOINT says https:// where there is no TLS, or has a certificate that nobody vouches for",
    ),
    ("NameResolutionError", "no such host: check S3_ENDPOINT"),
    ("NewConnectionError", "nothing listens there: check host and port in S3_ENDPOINT"),
    ("ConnectTimeoutError", "nothing answers there: check S3_ENDPOINT"),
    ("there is no bucket", "make it, or correct S3_BUCKET"),
    (
        "gave back",
        "something between us and the service changes what passes: look at proxies and S3_ENDPOINT",
    ),
    ("extra", "install it, or take STORAGE_BACKEND away"),
)
_SIGNED_SECONDS = 10
_UNSIGNED = "leave `redirects` of buckets and direct uploads off, or correct S3_ENDPOINT and S3_REGION"
_ANOTHER = (
    "give all processes the same STORAGE_BACKEND and S3_*, or the same directory OGEL_DATA_DIR, which only processes of"
    " one machine can share"
)
_STORAGE = "check STORAGE_BACKEND with S3_*, or make OGEL_DATA_DIR a writable directory"


async def mongo(patient: Patient) -> Sequence[Finding]:
    from ogel.adapters.mongo import Mongo

    url = patient.settings.mongo_url
    if url is None:
        return []
    try:
        client = Mongo(url)
    except ConfigError as error:
        return [ill("mongo", error.message, "correct MONGO_URL, or take it away")]
    try:
        return [well("mongo", f"version {await client.version()}")]
    except OgelError as error:
        advice = "check MONGO_URL, and that this machine reaches it" + containers_hint(
            patient, url, error.message
        )
        return [ill("mongo", error.message, advice)]
    finally:
        await client.close()


async def storage(patient: Patient) -> Sequence[Finding]:
    from ogel.platform.outside import bucket_of, storage_directory

    settings = patient.settings
    if patient.variable("storage_backend") is None or "storage_backend" in patient.sourced.wrong:
        return []
    try:
        if settings.storage_backend == "local":
            from ogel.adapters.storage.local import check_writable

            directory = storage_directory(settings)
            check_writable(directory)
            return [well("storage", f"{directory} can be written to")]
        if None in (settings.s3_endpoint, settings.s3_bucket, settings.s3_access_key, settings.s3_secret_key):
            return []  # what is missing is a mistake of the settings
        from ogel.adapters.storage.s3 import check_bucket

        bucket = bucket_of(settings)
        await check_bucket(bucket)
        return await _tried(bucket)
    except (OgelError, OSError) as error:
        reason = reason_of(error)
        return [ill("storage", reason, advice_on(reason, _S3_ADVICE, _STORAGE))]


async def _tried(bucket: Bucket) -> Sequence[Finding]:
    """A key may be one that lists, and neither writes nor deletes: an object is written, read and deleted."""
    from ogel.adapters.storage.s3 import BucketObjects
    from ogel.runtime.objects import one, read

    objects, key, content = BucketObjects(bucket), f"doctor/{new_id('try')}", b"ogel doctor"
    try:
        await objects.put(key, one(content), len(content))
        try:
            if await read(objects, key, len(content)) != content:
                raise Unavailable(f"bucket {bucket.name} gave back something else than it was given")
            signed = await asyncio.to_thread(_fetched, objects.presigned_get(key, _SIGNED_SECONDS))
        finally:
            await objects.delete(key)
    finally:
        await objects.close()
    if signed == content:
        return [
            well("storage", f"bucket {bucket.name} takes, gives and deletes objects, by signed URLs, too")
        ]
    return [
        well("storage", f"bucket {bucket.name} takes, gives and deletes objects"),
        ill("storage", "the bucket does not answer URLs that we sign", _UNSIGNED),
    ]


def _fetched(url: str | None) -> bytes | None:
    """What anybody gets there; None: nothing, or not that."""
    import urllib3

    if url is None:
        return None
    try:
        answer = urllib3.request("GET", url, timeout=_SIGNED_SECONDS, retries=False)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.data if answer.status == 200 else None


async def blobs(patient: Patient) -> Sequence[Finding]:
    """Whether the store of these settings is the one that the database tells of."""
    import psycopg
    from psycopg import AsyncConnection

    from ogel.adapters.postgres import connection_arguments
    from ogel.features.storage.usage.service import SOME_BLOBS
    from ogel.platform.outside import object_store

    url = patient.settings.database_url
    if url is None or "storage_backend" in patient.sourced.wrong:
        return []
    try:
        async with await AsyncConnection.connect(url, **connection_arguments(url)) as connection:
            keys = [key for (key,) in await (await connection.execute(SOME_BLOBS)).fetchall()]
    except (psycopg.Error, OSError):
        return []  # what is wrong with it is postgres' and the schema's to say
    objects = object_store(patient.settings)
    try:
        if not keys or any([await objects.stat(key) for key in keys]):
            return []
    except OgelError:
        return []  # as the check of the store says
    finally:
        await objects.close()
    return [ill("storage", "nothing of what should be in the store is there: it is another one", _ANOTHER)]

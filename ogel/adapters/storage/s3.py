"""Files in a bucket of any S3-compatible service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from ogel.kernel.errors import ConfigError, Unavailable

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """`endpoint` is `http(s)://host[:port]`."""

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str


async def check_bucket(bucket: Bucket) -> None:
    """Raises Unavailable saying what the service answered; ConfigError without the `s3` extra."""
    async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
        await asyncio.to_thread(_check, bucket)


def _check(bucket: Bucket) -> None:
    try:
        import urllib3
        from minio import Minio
        from minio.error import MinioException
    except ImportError:
        raise ConfigError("STORAGE_BACKEND needs an extra that is missing: pip install 'ogel[s3]'") from None
    parts = urlsplit(bucket.endpoint)
    if parts.path.strip("/"):
        raise ConfigError(f"S3_* cannot be used: {bucket.endpoint} has a path; name the bucket in S3_BUCKET")
    with urllib3.PoolManager(timeout=_TIMEOUT_SECONDS, retries=False) as http:
        try:
            client = Minio(
                parts.netloc,
                access_key=bucket.access_key,
                secret_key=bucket.secret_key,
                region=bucket.region,
                secure=parts.scheme == "https",
                http_client=http,
            )
            found = client.bucket_exists(bucket.name)
        except ValueError as error:
            raise ConfigError(f"S3_* cannot be used: {error}") from None
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{parts.netloc} did not say yes: {_reason(error)}") from error
    if not found:
        raise Unavailable(f"there is no bucket {bucket.name!r} at {parts.netloc}")


def _reason(error: Exception) -> str:
    """An S3 error has a code, such as AccessDenied; its text is XML and long."""
    return str(getattr(error, "code", None) or type(error).__name__)

"""The requests that S3 services are sent, synchronously: minio-py's where it has them."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from ogel.kernel.clock import utc_now
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from minio import Minio
    from minio.credentials.credentials import Credentials
    from minio.datatypes import Object, Upload
    from urllib3 import BaseHTTPResponse, PoolManager

# Of one request to copy: services answer when they have, and they are waited for some seconds only.
_COPIED_AT_ONCE = 256 * 1024 * 1024
_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_GOOD_STATUS = (200, 204)
# What S3 takes, in seconds.
LONGEST_PRESIGNED = 7 * 24 * 3600


class Bucket(Struct, frozen=True):
    """
    `endpoint` is `http(s)://host[:port]`, and `public_endpoint` the one that clients reach, if it is another.
    `is_virtual`: the bucket stands before the host.
    """

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str
    is_virtual: bool = False
    public_endpoint: str | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc


class NotDone(Exception):
    """A request was answered with success, and with an error in its body."""


class Requests:
    """Raises minio-py's and urllib3's exceptions, and NotDone. May be used by several threads at once."""

    def __init__(self, bucket: Bucket, http: PoolManager) -> None:
        self._bucket = bucket
        self._http = http
        self._client = client_of(bucket, http)
        public = replace(bucket, endpoint=bucket.public_endpoint or bucket.endpoint)
        self._public = client_of(public, http)

    def get(self, key: str, first: int, length: int) -> BaseHTTPResponse:
        """`length` 0: all the rest."""
        return self._client.get_object(self._bucket.name, key, first, length)

    def stat(self, key: str) -> Object:
        return self._client.stat_object(self._bucket.name, key)

    def list(self, prefix: str) -> Iterator[Object]:
        yield from self._client.list_objects(self._bucket.name, prefix, recursive=True)

    def delete(self, key: str) -> None:
        self._client.remove_object(self._bucket.name, key)

    def put(
        self, key: str, body: IO[bytes], size: int, digest: str, part: tuple[str, int] | None = None
    ) -> str:
        """
        Puts an object, or a part of one by its upload and number, whose SHA-256 the service holds against what came;
        minio-py would have it in memory. Returns the ETag.
        """
        from minio.signer import sign_v4_s3

        query = {} if part is None else {"uploadId": part[0], "partNumber": str(part[1])}
        url = self._client._base_url.build(
            method="PUT",
            region=self._bucket.region,
            bucket_name=self._bucket.name,
            object_name=key,
            query_params=cast(Any, query),
        )
        now = utc_now()
        headers = {
            "Host": url.netloc,
            "Content-Length": str(size),
            "x-amz-content-sha256": digest,
            "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        }
        if part is None:
            headers["Content-Type"] = "application/octet-stream"
        signed = sign_v4_s3(
            method="PUT",
            url=url,
            region=self._bucket.region,
            headers=cast(Any, headers),
            credentials=self._credentials(),
            content_sha256=digest,
            date=now,
        )
        body.seek(0)
        response = self._http.urlopen("PUT", url.geturl(), body=cast(Any, body), headers=cast(Any, signed))
        if response.status not in _GOOD_STATUS:
            raise _refused(response)
        return response.headers.get("etag", "").strip('"')

    def begin_parts(self, key: str) -> str:
        """Returns the id of an upload in parts."""
        return self._client._create_multipart_upload(self._bucket.name, key, {})

    def complete(self, key: str, upload: str, etags: Sequence[str]) -> None:
        from minio.datatypes import Part

        parts = [Part(number, etag) for number, etag in enumerate(etags, 1)]
        done = self._client._complete_multipart_upload(self._bucket.name, key, upload, parts)
        if not done.etag:
            raise NotDone(key)

    def abort(self, key: str, upload: str) -> None:
        self._client._abort_multipart_upload(self._bucket.name, key, upload)

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Yields the uploads in parts that are under way. minio-py has no public functions for this."""
        marker: dict[str, str | None] = {}
        while True:
            listed = self._client._list_multipart_uploads(
                self._bucket.name, prefix=prefix, **cast(Any, marker)
            )
            yield from listed.uploads
            if not listed.is_truncated or not listed.next_key_marker:
                return
            marker = {
                "key_marker": listed.next_key_marker,
                "upload_id_marker": listed.next_upload_id_marker,
            }

    def copy(self, source: str, target: str) -> None:
        from minio.commonconfig import CopySource

        size = self.stat(source).size or 0
        if size <= _COPIED_AT_ONCE:
            self._client.copy_object(self._bucket.name, target, CopySource(self._bucket.name, source))
            return
        upload = self.begin_parts(target)
        try:
            etags = [
                self._copied_part(source, target, (upload, number), first, min(first + _COPIED_AT_ONCE, size))
                for number, first in enumerate(range(0, size, _COPIED_AT_ONCE), 1)
            ]
            self.complete(target, upload, etags)
        except BaseException:
            self.abort(target, upload)
            raise

    def _copied_part(self, source: str, target: str, part: tuple[str, int], first: int, end: int) -> str:
        headers: dict[str, Any] = {
            "x-amz-copy-source": quote(f"{self._bucket.name}/{source}"),
            "x-amz-copy-source-range": f"bytes={first}-{end - 1}",
        }
        return self._client._upload_part_copy(self._bucket.name, target, *part, headers)[0]

    def presigned(
        self, method: str, key: str, seconds: int, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> str:
        """
        A URL that does one thing for so long, for requests that have the headers, whose names are in small letters;
        minio-py's are for any. Raises ValueError for more than seven days.
        """
        if not 0 < seconds <= LONGEST_PRESIGNED:
            raise ValueError(f"a URL is signed for 1 to {LONGEST_PRESIGNED} s, not {seconds}")
        bucket, now = self._bucket, utc_now()
        date, time = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
        scope = f"{date}/{bucket.region}/s3/aws4_request"
        signed = ";".join(sorted(["host", *headers]))
        asked = {
            **query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{bucket.access_key}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": signed,
        }
        url = self._public._base_url.build(
            method=method,
            region=bucket.region,
            bucket_name=bucket.name,
            object_name=key,
            query_params=cast(Any, asked),
        )
        lines = [f"{name}:{value}" for name, value in sorted({**headers, "host": url.netloc}.items())]
        request = "\n".join([method, url.path, url.query, *lines, "", signed, _UNSIGNED])
        text = "\n".join([_ALGORITHM, time, scope, sha256(request.encode()).hexdigest()])
        signing_key = f"AWS4{bucket.secret_key}".encode()
        for word in scope.split("/"):
            signing_key = hmac.digest(signing_key, word.encode(), "sha256")
        signature = hmac.digest(signing_key, text.encode(), "sha256").hex()
        return f"{url.geturl()}&X-Amz-Signature={signature}"

    def _credentials(self) -> Credentials:
        from minio.credentials.credentials import Credentials

        return Credentials(self._bucket.access_key, self._bucket.secret_key)


def client_of(bucket: Bucket, http: PoolManager) -> Minio:
    """Raises ConfigError."""
    from minio import Minio

    parts = urlsplit(bucket.endpoint)
    if parts.path.strip("/"):
        raise ConfigError(f"S3_* cannot be used: {bucket.endpoint} has a path; name the bucket in S3_BUCKET")
    try:
        client = Minio(
            parts.netloc,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            region=bucket.region,
            secure=parts.scheme == "https",
            http_client=http,
        )
    except ValueError as error:
        raise ConfigError(f"S3_* cannot be used: {error}") from None
    if bucket.is_virtual:
        client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return client


def modified_at(found: Object) -> datetime:
    return found.last_modified or datetime.now(UTC)


def _refused(response: BaseHTTPResponse) -> Exception:
    from minio.error import S3Error, ServerError

    if "xml" in response.headers.get("content-type", ""):
        return S3Error.fromxml(response)
    return ServerError(f"HTTP status {response.status}", response.status)

"""How many objects an S3 service has: its lists, signed, asked for with the client that operators' hosts are."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from ogel.kernel.clock import utc_now
from ogel.runtime.egress import EgressError
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.surveys import BucketsSeen, StoreRefused

_TIMEOUT_SECONDS = 10.0
# A page of a thousand keys, of a thousand characters each.
_MAX_BYTES = 2 * 1024 * 1024
_MAX_BUCKETS = 50
_MAX_PAGES = 20
_REGION = "us-east-1"
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no bytes
_NAME = re.compile(rb"<Name>([^<]{1,255})</Name>")
_SIZES = re.compile(rb"<Size>([0-9]{1,18})</Size>")
_TIMES = re.compile(rb"<LastModified>([^<]{1,40})</LastModified>")
_NEXT = re.compile(rb"<NextContinuationToken>([^<]{1,4000})</NextContinuationToken>")
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")


async def buckets(outgoing: Outgoing, endpoint: str, access_key: str, secret_key: str) -> BucketsSeen:
    """Raises StoreRefused."""
    keys = (access_key, secret_key)
    _, *parts = (await _got(outgoing, endpoint, "/", {}, keys)).split(b"<Bucket>")
    names = [_text(found[1]) for part in parts if (found := _NAME.search(part)) is not None]
    objects = size = pages = 0
    newest: datetime | None = None
    whole = len(names) <= _MAX_BUCKETS
    for name in names[:_MAX_BUCKETS]:
        query = {"list-type": "2", "max-keys": "1000"}
        while True:
            if pages >= _MAX_PAGES:
                whole = False
                break
            pages += 1
            page = await _got(outgoing, endpoint, f"/{quote(name, safe='')}", query, keys)
            sizes = [int(each) for each in _SIZES.findall(page)]
            objects, size = objects + len(sizes), size + sum(sizes)
            times = [each for found in _TIMES.findall(page) if (each := _moment(found)) is not None]
            newest = max([*times, *([newest] if newest else [])], default=None)
            if (following := _NEXT.search(page)) is None:
                break
            query = {**query, "continuation-token": _text(following[1])}
    return BucketsSeen(names, objects, size, newest, whole)


async def _got(
    outgoing: Outgoing, endpoint: str, path: str, query: Mapping[str, str], keys: tuple[str, str]
) -> bytes:
    try:
        from minio.credentials.credentials import Credentials
        from minio.signer import sign_v4_s3
    except ImportError:
        raise StoreRefused("this process lacks the S3 client: pip install 'ogel[s3]'") from None
    asked = urlencode(sorted(query.items()), quote_via=quote)
    url = f"{endpoint}{path}" + (f"?{asked}" if asked else "")
    now = utc_now()
    headers = {
        "Host": urlsplit(endpoint).netloc,
        "x-amz-content-sha256": _EMPTY,
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    signed = sign_v4_s3(
        method="GET",
        url=urlsplit(url),
        region=_REGION,
        headers=headers,  # type: ignore[arg-type]
        credentials=Credentials(*keys),
        content_sha256=_EMPTY,
        date=now,
    )
    try:
        answer = await outgoing.request(
            "GET",
            url,
            headers=list(signed.items()),  # type: ignore[arg-type]
            timeout_seconds=_TIMEOUT_SECONDS,
            max_body_bytes=_MAX_BYTES,
        )
    except EgressError as error:
        raise StoreRefused(error.message) from error
    if answer.status != 200:
        code = _CODE.search(answer.body[:8000])
        raise StoreRefused(f"it answered {answer.status}" + (f", {code[1].decode()}" if code else ""))
    if answer.truncated:  # half of it would be taken for all
        raise StoreRefused(f"it answered with more than {_MAX_BYTES // 1024**2} MiB")
    return answer.body


def _text(raw: bytes) -> str:
    return html.unescape(raw.decode("utf-8", "replace"))


def _moment(raw: bytes) -> datetime | None:
    try:
        found = datetime.fromisoformat(raw.decode("ascii", "replace"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found

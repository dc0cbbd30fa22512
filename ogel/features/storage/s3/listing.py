"""Lists of objects, in both of the ways that S3 has."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

from ogel.features.storage.buckets.service import BucketService
from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.listing import Listed, ObjectLister, Walked
from ogel.features.storage.s3.asked import Asked
from ogel.features.storage.s3.buckets import xml
from ogel.features.storage.s3.errors import invalid_argument
from ogel.features.storage.s3.times import iso
from ogel.features.storage.s3.xml import Child, document
from ogel.runtime.http.route import Text

MOST_KEYS = 1000
_NOTHING = Walked([], False)


class ListOperations:
    def __init__(self, buckets: BucketService, lister: ObjectLister) -> None:
        self._buckets = buckets
        self._lister = lister

    async def list(self, asked: Asked) -> Text:
        """Version 1 goes on behind a `marker`; version 2 behind a token, or behind `start-after` at first."""
        match asked.parameters.get("list-type"):
            case None | "1":
                return await self._first(asked)
            case "2":
                return await self._second(asked)
            case _:
                raise invalid_argument("list-type takes 2.")

    async def _first(self, asked: Asked) -> Text:
        marker = asked.parameters.get("marker", "")
        encode, found, most = encoder(asked), *await self._walk(asked, marker)
        delimiter = asked.parameters.get("delimiter") or None
        body = [
            ("Name", asked.bucket),
            ("Prefix", encode(asked.parameters.get("prefix", ""))),
            ("Marker", encode(marker)),
            ("NextMarker", encode(found.entries[-1].name) if found.more and delimiter else None),
            ("MaxKeys", most),
            ("Delimiter", delimiter and encode(delimiter)),
            ("EncodingType", asked.parameters.get("encoding-type")),
            ("IsTruncated", found.more),
            *_entries(found, encode, with_owner=True),
        ]
        return xml(document("ListBucketResult", body))

    async def _second(self, asked: Asked) -> Text:
        token = asked.parameters.get("continuation-token")
        after = asked.parameters.get("start-after", "") if token is None else _read(token)
        encode, found, most = encoder(asked), *await self._walk(asked, after)
        delimiter, start = asked.parameters.get("delimiter") or None, asked.parameters.get("start-after")
        with_owner = asked.parameters.get("fetch-owner") == "true"
        body = [
            ("Name", asked.bucket),
            ("Prefix", encode(asked.parameters.get("prefix", ""))),
            ("StartAfter", start and encode(start)),
            ("ContinuationToken", token),
            ("NextContinuationToken", _written(found.entries[-1].name) if found.more else None),
            ("KeyCount", len(found.entries)),
            ("MaxKeys", most),
            ("Delimiter", delimiter and encode(delimiter)),
            ("EncodingType", asked.parameters.get("encoding-type")),
            ("IsTruncated", found.more),
            *_entries(found, encode, with_owner=with_owner),
        ]
        return xml(document("ListBucketResult", body))

    async def _walk(self, asked: Asked, after: str) -> tuple[Walked, int]:
        most = min(asked.number("max-keys", MOST_KEYS), MOST_KEYS)
        await self._buckets.get(asked.caller, asked.bucket)
        if most == 0:
            return _NOTHING, 0
        found = await self._lister.walk(
            asked.caller.principal,
            asked.bucket,
            prefix=asked.parameters.get("prefix", ""),
            delimiter=asked.parameters.get("delimiter", ""),
            after=after,
            limit=most,
        )
        return found, most


class encoder:
    """How names are written in an answer: as they are, or escaped as in URLs, for what XML cannot say."""

    def __init__(self, asked: Asked) -> None:
        """Raises StorageError InvalidArgument."""
        encoding = asked.parameters.get("encoding-type")
        if encoding not in (None, "url"):
            raise invalid_argument("encoding-type takes url.")
        self._escapes = encoding == "url"

    def __call__(self, name: str) -> str:
        return quote(name, safe="-_.~/*") if self._escapes else name


def _entries(found: Walked, encode: encoder, *, with_owner: bool) -> list[Child]:
    contents: list[Child] = [("Contents", _content(each, encode, with_owner)) for each in found.objects]
    return contents + [("CommonPrefixes", [("Prefix", encode(prefix))]) for prefix in found.prefixes]


def _content(listed: Listed, encode: encoder, with_owner: bool) -> list[Child]:
    return [
        ("Key", encode(listed.name)),
        ("LastModified", iso(listed.updated_at)),
        ("ETag", listed.etag),
        ("Size", listed.size),
        ("Owner", [("ID", "ogel"), ("DisplayName", "ogel")] if with_owner else None),
        ("StorageClass", "STANDARD"),
    ]


def _written(name: str) -> str:
    """A continuation token, which clients hand back as it is."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _read(token: str) -> str:
    """Raises StorageError InvalidParameter."""
    try:
        padded = token + "=" * (-len(token) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise StorageError(400, "InvalidParameter", "Invalid Parameter continuation token") from error

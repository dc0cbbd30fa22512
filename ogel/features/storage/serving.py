"""Objects as answers: what every door says of one beside its bytes, and what keeps browsers from running it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from ogel.features.storage.objects.object import HEADERS
from ogel.features.storage.types import is_one_type
from ogel.kernel.clock import utc_now
from ogel.runtime.http.disposition import attachment
from ogel.runtime.http.ranges import Validators
from ogel.runtime.http.route import Content, Reply

if TYPE_CHECKING:
    from ogel.features.storage.buckets.store import BucketStore
    from ogel.features.storage.objects.object import StoredObject
    from ogel.features.storage.objects.reading import Found
    from ogel.runtime.database.database import Database
    from ogel.runtime.objects import ObjectStore

# What browsers run, or may find something in to run: they show it in an origin of its own, without scripts. Not PDF,
# which Chrome would not show at all; what a PDF runs never gets at a page.
_ACTIVE = re.compile(
    r"text/(?:html|xml|xsl|rdf|javascript|ecmascript|vbscript|x-component|cache-manifest)"
    r"|application/(?:xml|javascript|ecmascript|x-javascript|x-shockwave-flash|x-mimearchive|wasm|mathml.*)"
    r"|image/svg.*|multipart/.*|message/.*|.*[+/]xml(?:-.*)?"
)
_ANYWHERE = "frame-ancestors *"
_SANDBOX = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; {_ANYWHERE}"
# Of URLs of the store. What is deleted stays there for ten minutes, so that who was sent there still finds it.
_URL_SECONDS, _REDIRECT_SECONDS = 540, 240
_LEAST_REDIRECTED_BYTES = 64 * 1024
# Of what clients said of an object.
_NOT_IN_HEADERS = re.compile(r"[^\x20-\x7e\x80-\xff]")
_YEAR = 365 * 24 * 3600
_SHARED = re.compile(r"(?:public|s-maxage[ \t]*=.*)", re.IGNORECASE)


class Wish(Struct, frozen=True):
    """
    How an object is to be served.

    public    everybody may read it, so that a cache may keep it for others. False: only who asks.
    download  the name to save it under; empty: its own; None: browsers may show it.
    version   its ETag, with or without quotes, as in a URL that is made for this version only: `?v=…`.
    until     when the URL ends that it was asked for by.
    redirect  whether to send clients to the store; None: as the bucket has it. Where that cannot be, it is not done.
    """

    public: bool = False
    download: str | None = None
    version: str | None = None
    until: datetime | None = None
    redirect: bool | None = None


class ObjectServing:
    """Makes answers of objects, for every door."""

    def __init__(self, database: Database, buckets: BucketStore, store: ObjectStore) -> None:
        self._database = database
        self._buckets = buckets
        self._store = store

    async def reply(self, found: Found, wish: Wish) -> Reply:
        """
        An answer of which clients may ask for parts, or only when the object has changed; a redirect to the store where
        the bytes are to come from there.
        """
        object = found.object
        headers = headers_of(object, wish)
        elsewhere = await self._elsewhere(found, wish, headers.get("content-disposition"))
        if elsewhere is not None:
            headers = {**headers, "cache-control": f"private, max-age={min(_REDIRECT_SECONDS, _left(wish))}"}
        validators = Validators(object.etag, object.updated_at)
        content = Content(object.size, shown_type(object), found.read, validators, object.sha256, elsewhere)
        return Reply(content, headers=headers)

    async def _elsewhere(self, found: Found, wish: Wish, disposition: str | None) -> str | None:
        """
        A URL of the store, for what is one blob that anybody can read. What browsers run is served from here, where we
        say how it is shown; so is what is smaller than asking once more would cost, unless somebody asks for it.
        """
        object = found.object
        if (
            wish.redirect is False
            or (wish.redirect is None and object.size < _LEAST_REDIRECTED_BYTES)
            or len(found.blobs) != 1
            or found.blobs[0].sealed_key is not None
            or _is_active(object.content_type)
        ):
            return None
        url = self._store.presigned_get(
            found.blobs[0].key,
            min(_URL_SECONDS, _left(wish)),
            content_type=shown_type(object),
            disposition=disposition,
        )
        if url is None or wish.redirect:
            return url
        async with self._database.transaction() as tx:
            bucket = await self._buckets.get(tx, object.bucket_id)
        return url if bucket is not None and bucket.redirects else None


def shown_type(object: StoredObject) -> str:
    """Its content type, in which a page becomes its source, as in Supabase; what is no type is just bytes."""
    if not is_one_type(object.content_type):
        return "application/octet-stream"
    kind, mark, parameters = object.content_type.partition(";")
    return f"text/plain{mark}{parameters}" if kind.strip().lower() == "text/html" else object.content_type


def shown_safely(content_type: str) -> dict[str, str]:
    """
    In place of what answers of ours have (runtime/http/shield.py): pages elsewhere may show what is here, and what
    browsers run can do nothing.
    """
    policy = _SANDBOX if _is_active(content_type) else _ANYWHERE
    return {"content-security-policy": policy, "cross-origin-resource-policy": "cross-origin"}


def headers_of(object: StoredObject, wish: Wish) -> Mapping[str, str]:
    headers = {"x-robots-tag": "none", **shown_safely(object.content_type)}
    for name, header in HEADERS.items():
        if (said := object.metadata.get(name)) and header != "expires":
            headers[header] = _NOT_IN_HEADERS.sub("", str(said))
    if wish.download is not None:
        headers["content-disposition"] = attachment(wish.download or object.name.rpartition("/")[2])
    if wish.until is not None:
        headers["expires"] = format_datetime(wish.until, usegmt=True)
    headers["cache-control"] = _cache_control(object, wish)
    return headers


def _left(wish: Wish) -> int:
    """Seconds until the URL ends."""
    return _YEAR if wish.until is None else max(1, int((wish.until - utc_now()).total_seconds()))


def _is_active(content_type: str) -> bool:
    """Who knows what a browser makes of it that is no type at all?"""
    kind = content_type.partition(";")[0].strip().lower()
    return not is_one_type(content_type) or _ACTIVE.fullmatch(kind) is not None


def _cache_control(object: StoredObject, wish: Wish) -> str:
    """What its owner said, which cannot make a cache give to others what only who asks may read."""
    if wish.until is not None:
        return f"private, max-age={_left(wish)}"
    said = object.cache_control
    if wish.version is not None and wish.version.strip('"') == object.etag.strip('"'):
        said = f"max-age={_YEAR}, immutable"
        return f"public, {said}" if wish.public else f"private, {said}"
    if wish.public:
        return said
    kept = [each for text in said.split(",") if (each := text.strip()) and not _SHARED.fullmatch(each)]
    return ", ".join(kept if "private" in kept or "no-store" in kept else ["private", *kept])

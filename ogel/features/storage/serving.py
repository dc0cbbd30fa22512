"""Objects as answers: what every door says of one beside its bytes, and what keeps browsers from running it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from ogel.features.storage.objects.object import HEADERS
from ogel.kernel.clock import utc_now
from ogel.runtime.http.disposition import attachment
from ogel.runtime.http.ranges import Validators
from ogel.runtime.http.route import Content, Reply

if TYPE_CHECKING:
    from ogel.features.storage.objects.object import StoredObject
    from ogel.features.storage.objects.reading import Found

# What browsers run, or may find something in to run: they show it in an origin of its own, without scripts. Not PDF,
# which Chrome would not show at all; what a PDF runs never gets at a page.
_ACTIVE = re.compile(
    r"text/(?:html|xml|javascript|ecmascript|vbscript|x-component|cache-manifest)"
    r"|application/(?:xml|javascript|ecmascript|x-javascript|x-shockwave-flash|wasm|mathml.*)"
    r"|image/svg.*|multipart/.*|message/.*|.*[+/]xml(?:-.*)?"
)
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors *"
# In place of what answers of ours have (runtime/http/shield.py): pages elsewhere show pictures and documents from here.
_SHOWN_ANYWHERE = {
    "content-security-policy": "frame-ancestors *",
    "cross-origin-resource-policy": "cross-origin",
}
_YEAR = 365 * 24 * 3600
_SHARED = re.compile(r"(?:public|s-maxage[ \t]*=.*)", re.IGNORECASE)
_NOT_IN_HEADERS = re.compile(r"[^\x20-\x7e\x80-\xff]")


class Wish(Struct, frozen=True):
    """
    How an object is to be served.

    public    everybody may read it, so that a cache may keep it for others. False: only who asks.
    download  the name to save it under; empty: its own; None: browsers may show it.
    version   its ETag, with or without quotes, as in a URL that is made for this version only: `?v=…`.
    until     when the URL ends that it was asked for by.
    """

    public: bool = False
    download: str | None = None
    version: str | None = None
    until: datetime | None = None


def served(found: Found, wish: Wish) -> Reply:
    """An object as an answer, of which clients may ask for parts, or only when it has changed."""
    object = found.object
    validators = Validators(object.etag, object.updated_at)
    content = Content(object.size, shown_type(object), found.read, validators, object.sha256)
    return Reply(content, headers=headers_of(object, wish))


def shown_type(object: StoredObject) -> str:
    """Its content type, in which a page becomes its source, as in Supabase."""
    kind = _NOT_IN_HEADERS.sub("", object.content_type).strip()
    if kind.partition(";")[0].strip().lower() == "text/html":
        return "text/plain" + kind[len(kind.partition(";")[0]) :]
    return kind or "application/octet-stream"


def headers_of(object: StoredObject, wish: Wish) -> Mapping[str, str]:
    headers = {"x-robots-tag": "none", **_SHOWN_ANYWHERE}
    for name, header in HEADERS.items():
        if (said := object.metadata.get(name)) and header != "expires":
            headers[header] = _NOT_IN_HEADERS.sub("", str(said))
    if _ACTIVE.fullmatch(object.content_type.partition(";")[0].strip().lower()):
        headers["content-security-policy"] = _SANDBOX
    if wish.download is not None:
        headers["content-disposition"] = attachment(wish.download or object.name.rpartition("/")[2])
    if wish.until is not None:
        headers["expires"] = format_datetime(wish.until, usegmt=True)
    headers["cache-control"] = _cache_control(object, wish)
    return headers


def _cache_control(object: StoredObject, wish: Wish) -> str:
    """What its owner said, which cannot make a cache give to others what only who asks may read."""
    if wish.until is not None:
        return f"private, max-age={max(0, int((wish.until - utc_now()).total_seconds()))}"
    said = _NOT_IN_HEADERS.sub("", object.cache_control)
    if wish.version is not None and wish.version.strip('"') == object.etag.strip('"'):
        said = f"max-age={_YEAR}, immutable"
        return f"public, {said}" if wish.public else f"private, {said}"
    if wish.public:
        return said
    kept = [each for text in said.split(",") if (each := text.strip()) and not _SHARED.fullmatch(each)]
    return ", ".join(kept if "private" in kept or "no-store" in kept else ["private", *kept])

"""A suite's storage as commands ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from ogel.cli.storage.counted import patiently

if TYPE_CHECKING:
    from ogel.cli.client import Client

PREFIX = "/storage/v1"
PAGE = 1000


class Metadata(msgspec.Struct, rename="camel"):
    size: int = 0
    mimetype: str | None = None
    e_tag: str = ""


class Item(msgspec.Struct):
    """An object, or with `id` None all whose names begin alike up to a slash."""

    name: str
    id: str | None = None
    metadata: Metadata | None = None
    updated_at: datetime | None = None

    @property
    def size(self) -> int:
        return 0 if self.metadata is None else self.metadata.size

    @property
    def md5(self) -> str | None:
        """In hexadecimal; None: it came in parts, which have one each."""
        tag = "" if self.metadata is None else self.metadata.e_tag.strip('"')
        return tag if len(tag) == 32 else None


class _Page(msgspec.Struct, rename="camel"):
    has_next: bool
    folders: list[Item]
    objects: list[Item]
    next_cursor: str | None = None


class Removed(msgspec.Struct):
    name: str


class Remote:
    def __init__(self, client: Client) -> None:
        self.client = client

    def check_bucket(self, bucket: str) -> None:
        """Raises the OgelError of a bucket that is not there."""
        self.client.request("GET", f"/api/storage/buckets/{_segment(bucket)}")

    def objects(self, bucket: str, prefix: str = "", *, folders: bool = False) -> Iterator[Item]:
        """By name; `folders`: what is behind the next slash is one item, which ends in it."""
        body: Mapping[str, object] = {"prefix": prefix, "limit": PAGE, "with_delimiter": folders}
        while True:
            page = self._page(bucket, body)
            yield from sorted([*page.folders, *page.objects], key=lambda item: item.name.encode())
            if not page.has_next or page.next_cursor in (None, body.get("cursor")):
                return
            body = {**body, "cursor": page.next_cursor}

    def _page(self, bucket: str, body: Mapping[str, object]) -> _Page:
        where = f"{PREFIX}/object/list-v2/{quote(bucket, safe='')}"
        return patiently(lambda: self.client.request("POST", where, body=body)).as_(_Page)

    def remove(self, bucket: str, names: Sequence[str]) -> list[str]:
        """Up to 1,000 at once. Returns the names of those that are gone."""
        where = f"{PREFIX}/object/{quote(bucket, safe='')}"
        answer = self.client.request("DELETE", where, body={"prefixes": list(names)})
        return [each.name for each in answer.as_(list[Removed])]


def path_of(bucket: str, name: str, door: str = "") -> str:
    """The path of an object at a door of Supabase's: `authenticated`, `public`, or none."""
    between = f"/{door}" if door else ""
    return f"{PREFIX}/object{between}/{_segment(bucket)}/{'/'.join(map(_segment, name.split('/')))}"


def _segment(text: str) -> str:
    """Dots alone are encoded, too: HTTP libraries take such segments for a way up."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")

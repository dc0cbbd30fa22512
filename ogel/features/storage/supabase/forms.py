"""Objects in multipart forms, as browsers send them: the first file, and what fields before and behind it say of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec.structs import replace

from ogel.features.storage.errors import no_content
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.supabase.user_metadata import read_user_metadata
from ogel.runtime.http.multipart_body import Part, parts
from ogel.runtime.http.streamed import BodyStream

# Of what is said of an object in one field.
MOST_FIELD_BYTES = 64 * 1024
# Beside the file; the writer holds the file itself to its limit.
FORM_BYTES = 256 * 1024
_FIELDS = ("cacheControl", "contentType", "metadata")


class UploadForm:
    """
    `begin` finds the file; `content` is its bytes, to be read once; then `completed` knows what came behind it. To be
    closed, as it may be left in the middle.
    """

    def __init__(self, body: BodyStream) -> None:
        self._parts = parts(body)
        self._fields: dict[str, str] = {}
        self._file: Part | None = None

    async def aclose(self) -> None:
        await self._parts.aclose()

    async def begin(self) -> Facts:
        """Returns what is known before the file is read. Raises StorageError InvalidRequest when there is none."""
        async for part in self._parts:
            if part.filename is not None:
                self._file = part
                break
            await self._note(part)
        if self._file is None:
            raise no_content()
        kind = self._fields.get("contentType") or self._file.content_type or "text/plain"
        return self.completed(Facts(kind))

    async def content(self) -> AsyncIterator[bytes]:
        """Reads on to the end of the body, where its digests are checked. Raises what the body raises."""
        assert self._file is not None
        async for piece in self._file:
            yield piece
        async for part in self._parts:
            if part.filename is None:
                await self._note(part)

    def completed(self, facts: Facts) -> Facts:
        """With what fields say that need not be known before."""
        return replace(
            facts,
            cache_control=_cache_control(self._fields.get("cacheControl")),
            user_metadata=read_user_metadata(self._fields.get("metadata")) or {},
        )

    async def _note(self, part: Part) -> None:
        if part.name in _FIELDS:
            self._fields[part.name] = (await part.read(MOST_FIELD_BYTES)).decode("utf-8", "replace")


def _cache_control(said: str | None) -> str:
    """A number is seconds; anything else is what it is."""
    said = (said or "").strip()
    if said.isascii() and said.isdigit():
        return f"max-age={said}"
    return said or "no-cache"

"""`POST /api/storage/upload`: a form with one file, which is stored as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from ogel.features.storage.forms.service import DEFAULT_BUCKET, FormUploads, Uploaded
from ogel.features.storage.policy import WRITE
from ogel.kernel.errors import Invalid
from ogel.runtime.http.access import Access
from ogel.runtime.http.multipart_body import Part, parts
from ogel.runtime.http.route import Call, Route, Streaming
from ogel.runtime.http.streamed import BodyStream

_FIELD = "file"
# Boundaries, heads and other fields around the file.
_AROUND_BYTES = 64 * 1024


class UploadQuery(Struct, frozen=True, forbid_unknown_fields=True):
    bucket: str = DEFAULT_BUCKET


class FormRoutes:
    def __init__(self, uploads: FormUploads, most_bytes: int) -> None:
        self._uploads = uploads
        self._most_bytes = most_bytes

    async def upload(self, call: Call[BodyStream, UploadQuery]) -> Uploaded:
        found = parts(call.body)
        async for part in found:
            if part.name == _FIELD and part.filename:
                content = _with_the_rest(part, found)
                return await self._uploads.store(
                    call.caller, call.query.bucket, part.filename, content, part.content_type
                )
            await part.skip()
        raise _wrong("no file came: a form's field of this name takes one")

    def routes(self) -> Sequence[Route]:
        access = Access("known", WRITE, "write").taking(self._most_bytes + _AROUND_BYTES)
        return [
            Route("POST", "/api/storage/upload", self.upload, access, "Store the file of a form",
                  body=Streaming("multipart/form-data", checked=True, around_bytes=_AROUND_BYTES),
                  query=UploadQuery, returns=Uploaded),
        ]  # fmt: skip


async def _with_the_rest(file: Part, found: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    """The file's bytes, which end only when the whole form has come: of one that is cut off nothing is stored."""
    async for piece in file:
        yield piece
    async for part in found:
        if part.name == _FIELD and part.filename is not None:
            raise _wrong("takes one file; send others by themselves")
        await part.skip()


def _wrong(message: str) -> Invalid:
    return Invalid.field(f"body.{_FIELD}", message)

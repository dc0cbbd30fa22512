"""`/api/storage/direct-uploads`: a URL for the bytes, and a word when they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from ogel.features.storage.direct.service import DirectUploads
from ogel.features.storage.errors import no_such_upload
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.policy import WRITE
from ogel.kernel.text import pattern
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route, Timestamp

_WRITE = Access("known", WRITE, "write")
_PATH = "/api/storage/direct-uploads"

# Values of header fields. `$` alone would match before a newline at the end.
_Type = Annotated[
    str,
    Meta(
        max_length=255,
        pattern=pattern(r"^[\x21-\x7e][\x20-\x7e]*$(?!\n)", "printable ASCII, no space first"),
    ),
]
_Field = Annotated[
    str, Meta(max_length=255, pattern=pattern(r"^[\x20-\x7e]*$(?!\n)", "printable ASCII characters"))
]


class NewDirectUpload(Struct, frozen=True, forbid_unknown_fields=True):
    """`size` in bytes; `cache_control` is a whole header: `max-age=3600`."""

    bucket: Annotated[str, Meta(min_length=1, max_length=100)]
    name: Annotated[str, Meta(min_length=1, max_length=1024)]
    size: Annotated[int, Meta(ge=0, le=2**53)]
    content_type: _Type = "application/octet-stream"
    cache_control: _Field = "no-cache"
    metadata: dict[str, Any] | None = None
    upsert: bool = False


class DirectUploadBegun(Struct, frozen=True):
    """The request that is to be sent, with exactly these headers, before `expires_at`; then the upload is confirmed."""

    id: UUID
    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: Timestamp


class DirectlyStored(Struct, frozen=True):
    id: UUID
    bucket: str
    name: str
    size: int
    content_type: str
    etag: str


class DirectRoutes:
    def __init__(self, uploads: DirectUploads) -> None:
        self._uploads = uploads

    async def begin(self, call: Call[NewDirectUpload, Any]) -> DirectUploadBegun:
        new = call.body
        facts = Facts(new.content_type, new.cache_control, new.metadata)
        begun = await self._uploads.begin(
            call.caller, new.bucket, new.name, new.size, facts, upsert=new.upsert
        )
        headers = {"content-length": str(new.size), "content-type": begun.content_type}
        return DirectUploadBegun(begun.id, "PUT", begun.url, headers, begun.expires_at)

    async def confirm(self, call: Call[Any, Any]) -> DirectlyStored:
        try:
            id = UUID(call.path["id"])
        except ValueError as error:
            raise no_such_upload() from error
        stored = await self._uploads.confirm(call.caller, id)
        return DirectlyStored(
            stored.id, stored.bucket_id, stored.name, stored.size, stored.content_type, stored.etag
        )

    def routes(self) -> Sequence[Route]:
        return [
            Route("POST", _PATH, self.begin, _WRITE, "Begin an upload that goes to the store itself, past this API",
                  body=NewDirectUpload, returns=DirectUploadBegun, status=201, name="begin_direct_upload"),
            Route("POST", f"{_PATH}/{{id}}/confirm", self.confirm, _WRITE, "Make an object of what came to the store",
                  returns=DirectlyStored, name="confirm_direct_upload"),
        ]  # fmt: skip

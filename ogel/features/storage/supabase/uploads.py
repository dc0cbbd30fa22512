"""`POST` and `PUT /object/…`: whole objects, as bytes or in a form."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ogel.features.storage.conditional import conditions_of
from ogel.features.storage.errors import invalid_content_type
from ogel.features.storage.lifecycle.ends import end_of
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.supabase.forms import FORM_BYTES, UploadForm
from ogel.features.storage.supabase.user_metadata import user_metadata_of
from ogel.features.storage.types import is_one_type
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Handler, Route, Streaming
from ogel.runtime.http.streamed import BodyStream

if TYPE_CHECKING:
    from ogel.features.storage.objects.object import StoredObject
    from ogel.features.storage.objects.writing import ObjectWriter
    from ogel.kernel.principal import Caller

_FORM = "multipart/form-data"
_MOST_TYPE_CHARACTERS = 255
# Below these, objects are read; whoever writes there means a bucket of that name.
_READ_BELOW = ("authenticated", "info", "public")


async def take(
    call: Call[BodyStream, Any],
    writer: ObjectWriter,
    caller: Caller,
    bucket: str,
    name: str,
    *,
    upsert: bool,
) -> StoredObject:
    """
    Stores the body of the call: as it is, with what headers say of it, or the first file of a form, with what other
    fields say. Raises what ObjectWriter.put raises, and StorageError InvalidMimeType, InvalidRequest.
    """
    body, conditions = call.body, conditions_of(call.headers)
    end = end_of(call.header("x-expires-in"), call.header("x-expires-at"))
    if body.content_type != _FORM:
        return await writer.put(
            caller,
            bucket,
            name,
            body,
            replace(_facts(call), expires_at=end),
            length=body.length,
            upsert=upsert,
            conditions=conditions,
        )
    async with aclosing(UploadForm(body)) as form:
        facts = await form.begin()
        check_content_type(facts.content_type)
        return await writer.put(
            caller,
            bucket,
            name,
            form.content(),
            replace(facts, expires_at=end),
            length=None,
            upsert=upsert,
            conditions=conditions,
            completed=form.completed,
        )


def _facts(call: Call[BodyStream, Any]) -> Facts:
    kind = call.header("content-type")
    if kind is None:
        kind = "application/octet-stream"
    check_content_type(kind)
    return Facts(
        kind.strip(),
        call.header("cache-control") or "no-cache",
        user_metadata_of(call.header("x-metadata")) or {},
    )


def check_content_type(kind: str) -> None:
    """Raises StorageError InvalidMimeType for what is no type at all."""
    if len(kind) > _MOST_TYPE_CHARACTERS or not is_one_type(kind):
        raise invalid_content_type()


class UploadRoutes:
    def __init__(self, writer: ObjectWriter, most_bytes: int) -> None:
        self._writer = writer
        self._access = Access("known", None, "write").taking(most_bytes + FORM_BYTES)

    async def create(self, call: Call[BodyStream, Any], within: str | None = None) -> dict[str, str]:
        return await self._take(call, within, upsert=call.header("x-upsert") == "true")

    async def replace(self, call: Call[BodyStream, Any], within: str | None = None) -> dict[str, str]:
        """As in Supabase it may be new."""
        return await self._take(call, within, upsert=True)

    async def _take(self, call: Call[BodyStream, Any], within: str | None, *, upsert: bool) -> dict[str, str]:
        bucket, name = call.path["bucket"], call.path["name"]
        if within is not None:
            bucket, name = within, f"{bucket}/{name}"
        return stored_as(await take(call, self._writer, call.caller, bucket, name, upsert=upsert))

    def routes(self) -> Sequence[Route]:
        ways: list[tuple[str, str, Handler, str]] = [
            ("", "POST", self.create, "Stores an object"),
            ("", "PUT", self.replace, "Replaces an object"),
        ]
        for bucket in _READ_BELOW:
            ways += [
                (f"/{bucket}", "POST", partial(self.create, within=bucket), "Stores an object"),
                (f"/{bucket}", "PUT", partial(self.replace, within=bucket), "Replaces an object"),
            ]
        return [
            Route(
                method,
                f"/object{below}/{{bucket}}/{{name:path}}",
                handler,
                access=self._access,
                summary=summary,
                returns=dict[str, str],
                body=Streaming(checked=True, around_bytes=FORM_BYTES),
            )
            for below, method, handler, summary in ways
        ]


def stored_as(found: StoredObject) -> dict[str, str]:
    """As clients are told where something was stored."""
    return {"Key": f"{found.bucket_id}/{found.name}", "Id": str(found.id)}

"""`/upload/resumable`: TUS 1.0.0, as Supabase's clients, tus-js-client and others speak it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec.structs import replace
from starlette.types import Scope

from ogel.features.storage.errors import StorageError
from ogel.features.storage.resumable.checksum import ALGORITHMS
from ogel.features.storage.resumable.upload import NewUpload, Upload
from ogel.features.storage.supabase import tus
from ogel.features.storage.supabase.errors import render_error
from ogel.kernel.errors import OgelError
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.access import OPEN, Access, Who
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import apikey_header, bearer
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.route import Call, Reply, Route, Streaming, Text
from ogel.runtime.http.streamed import BodyStream

if TYPE_CHECKING:
    from ogel.features.storage.resumable.service import UploadService
    from ogel.features.storage.signing.service import UrlSigner

PREFIX = "/storage/v1/upload/resumable"
_TEXT = "text/plain;charset=UTF-8"
_EXPOSED = (
    "Location", "Tus-Checksum-Algorithm", "Tus-Complete", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable",
    "Tus-Version", "Upload-Concat", "Upload-Defer-Length", "Upload-Expires", "Upload-Length", "Upload-Metadata",
    "Upload-Offset", "Retry-After",
)  # fmt: skip
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class TusRoutes:
    path = ""
    who: Who = "known"

    def __init__(self, uploads: UploadService, most_bytes: int) -> None:
        self._uploads = uploads
        self._most_bytes = most_bytes

    async def _begins(self, call: Call[Any, Any], new: NewUpload) -> tuple[Caller, NewUpload]:
        """Who begins the upload, and as what."""
        return call.caller, new

    async def _goes_on(self, call: Call[Any, Any]) -> tuple[Caller, UUID]:
        """Who goes on with an upload, and with which."""
        return call.caller, tus.upload_id(call.path["id"])

    async def options(self, call: Call[Any, Any]) -> Reply:
        return _reply(
            204,
            {
                "tus-version": tus.VERSION,
                "tus-extension": ",".join(tus.EXTENSIONS),
                "tus-max-size": str(self._most_bytes),
                "tus-checksum-algorithm": ",".join(ALGORITHMS),
            },
        )

    async def create(self, call: Call[BodyStream, Any]) -> Reply:
        """With bytes in it, it is the first request that sends some, too (creation-with-upload)."""
        tus.check_version(call.header)
        new, parts = tus.new_upload(call)
        body, checksum = call.body, tus.checksum(call.header)
        caller, new = await self._begins(call, new)
        if parts:
            upload = await self._uploads.concatenate(caller, new, parts)
            return _reply(201, {"location": self._location(call, upload), **_state(upload)})
        has_bytes = body.length != 0 and (body.length is not None or body.content_type == tus.OFFSET_TYPE)
        if has_bytes and body.content_type != tus.OFFSET_TYPE:
            raise tus.refused(415, "Invalid content-type")
        upload = await self._uploads.create(caller, new)
        said = {"location": self._location(call, upload)}
        if not has_bytes:
            return _reply(201, {**said, **_state(upload)})
        upload = await self._uploads.append_first(caller, upload, body, size=body.length, checksum=checksum)
        return _reply(201, {**said, "upload-offset": str(upload.received), **_state(upload)})

    async def override(self, call: Call[BodyStream, Any]) -> Reply:
        """For clients, and what is between them and us, that know no other methods than GET and POST."""
        method = (call.header("x-http-method-override") or "").upper()
        ways = {"PATCH": self.append, "DELETE": self.terminate, "HEAD": self.state}
        if method not in ways:
            raise tus.refused(400, "Invalid x-http-method-override")
        return await ways[method](call)

    async def state(self, call: Call[Any, Any]) -> Reply:
        tus.check_version(call.header)
        upload = await self._uploads.get(*await self._goes_on(call))
        said = upload.said
        told = {
            "cache-control": "no-store",
            "upload-offset": str(upload.received),
            **(
                {"upload-defer-length": "1"}
                if upload.length is None
                else {"upload-length": str(upload.length)}
            ),
            **({"upload-metadata": said.metadata} if said.metadata else {}),
            **({"upload-concat": said.concat} if said.concat else {}),
            **_expiry(upload),
        }
        return _reply(200, told)

    async def append(self, call: Call[BodyStream, Any]) -> Reply:
        tus.check_version(call.header)
        body = call.body
        if body.content_type != tus.OFFSET_TYPE:
            raise tus.refused(
                415, "Invalid content-type" if body.content_type else "Content-Type header required"
            )
        if (offset := tus.number(call.header, "upload-offset")) is None:
            raise tus.refused(400, "Upload-Offset header required")
        caller, id = await self._goes_on(call)
        upload = await self._uploads.append(
            caller,
            id,
            offset,
            body,
            size=body.length,
            length=tus.number(call.header, "upload-length"),
            checksum=tus.checksum(call.header),
        )
        return _reply(204, {"upload-offset": str(upload.received), **_state(upload)})

    async def terminate(self, call: Call[Any, Any]) -> Reply:
        tus.check_version(call.header)
        await self._uploads.terminate(*await self._goes_on(call))
        return _reply(204, {})

    def _location(self, call: Call[Any, Any], upload: Upload) -> str:
        """
        Where the client reaches the upload, as it reached us: by the name that it asked for, or that a proxy says it
        did. It only gets back what it sent.
        """
        path = f"{PREFIX}{self.path}/{upload.id}"
        host = call.header("x-forwarded-host") or call.header("host") or ""
        if not _HOST.fullmatch(host):
            return path
        scheme = "https" if call.header("x-forwarded-proto") == "https" else "http"
        port = call.header("x-forwarded-port") or ""
        usual = {"http": "80", "https": "443"}[scheme]
        if call.header("x-forwarded-host") and ":" not in host and port.isdigit() and port != usual:
            host = f"{host}:{port}"
        return f"{scheme}://{host}{path}"

    def routes(self) -> Sequence[Route]:
        read, write = Access(self.who, None, "read"), Access(self.who, None, "write")
        streamed = write.taking(self._most_bytes)
        of_one = f"{self.path}/{{id}}"
        return [
            Route(
                "OPTIONS",
                self.path,
                self.options,
                access=OPEN,
                summary="What of TUS is known here",
                status=204,
            ),
            Route(
                "POST",
                self.path,
                self.create,
                access=streamed,
                summary="Begins an upload",
                body=Streaming(tus.OFFSET_TYPE),
                status=201,
            ),
            Route(
                "OPTIONS", of_one, self.options, access=OPEN, summary="What of TUS is known here", status=204
            ),
            Route("HEAD", of_one, self.state, access=read, summary="How much of an upload has come"),
            Route(
                "PATCH",
                of_one,
                self.append,
                access=streamed,
                summary="Goes on with an upload",
                body=Streaming(tus.OFFSET_TYPE),
                status=204,
            ),
            Route("DELETE", of_one, self.terminate, access=write, summary="Gives an upload up", status=204),
            Route(
                "POST",
                of_one,
                self.override,
                access=streamed,
                summary="PATCH, HEAD or DELETE, as X-HTTP-Method-Override says",
                body=Streaming(tus.OFFSET_TYPE),
            ),
        ]


class SignedTusRoutes(TusRoutes):
    """`/sign`: who is asked for no key, but for the token that somebody else got for an upload to that name."""

    path = "/sign"
    who = "open"

    def __init__(self, uploads: UploadService, signer: UrlSigner, most_bytes: int) -> None:
        super().__init__(uploads, most_bytes)
        self._signer = signer

    async def _begins(self, call: Call[Any, Any], new: NewUpload) -> tuple[Caller, NewUpload]:
        principal, upsert = self._signed(call, new.bucket or "", new.name or "")
        return replace(call.caller, principal=principal), replace(new, upsert=upsert)

    async def _goes_on(self, call: Call[Any, Any]) -> tuple[Caller, UUID]:
        id = tus.upload_id(call.path["id"])
        principal, _ = self._signed(call, *await self._uploads.place(id))
        return replace(call.caller, principal=principal), id

    def _signed(self, call: Call[Any, Any], bucket: str, name: str) -> tuple[Principal, bool]:
        if (token := call.header("x-signature")) is None:
            raise StorageError(400, "InvalidSignature", "Missing x-signature header")
        return self._signer.uploader(token, bucket, name)


def tus_dialect(uploads: UploadService, signer: UrlSigner, most_bytes: int) -> Dialect:
    return Dialect(
        "tus",
        PREFIX,
        render_error=render_tus_error,
        credentials=(bearer, apikey_header),
        strict_parameters=False,
        cors=Cors(exposed=_EXPOSED, max_age_seconds=86400),
        routes=[
            *TusRoutes(uploads, most_bytes).routes(),
            *SignedTusRoutes(uploads, signer, most_bytes).routes(),
        ],
    )


def render_tus_error(error: OgelError, scope: Scope) -> Reply:
    """In a line of text; who is not let in is told so as everywhere in storage."""
    said = {"tus-resumable": tus.VERSION, "cache-control": "no-store"}
    if error.status == 412:
        said["tus-version"] = tus.VERSION
    if error.status == 401 or not isinstance(error, StorageError):
        reply = render_error(error, scope)
        return Reply(reply.value, reply.status, {**reply.headers, **said})
    return Reply(Text(error.message.encode(), _TEXT), error.status, said)


def _reply(status: int, headers: Mapping[str, str]) -> Reply:
    value = None if status == 204 else Text(b"", _TEXT)
    return Reply(value, status, {"tus-resumable": tus.VERSION, **headers})


def _state(upload: Upload) -> Mapping[str, str]:
    if upload.finished_at is not None:
        return {"tus-complete": "1"}
    return _expiry(upload)


def _expiry(upload: Upload) -> Mapping[str, str]:
    if upload.finished_at is not None:
        return {}
    return {"upload-expires": format_datetime(upload.expires_at, usegmt=True)}

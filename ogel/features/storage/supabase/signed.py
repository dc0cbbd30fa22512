"""`/object/sign` and `/object/upload/sign`: URLs for who has no key, and what they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.features.storage.errors import invalid_request
from ogel.features.storage.images.wanted import Wanted
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.features.storage.serving import ObjectServing, Wish
from ogel.features.storage.signing.service import MOST_NAMES, UrlSigner
from ogel.features.storage.supabase.downloads import saved_as
from ogel.features.storage.supabase.forms import FORM_BYTES
from ogel.features.storage.supabase.uploads import take
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Content, Reply, Route, Streaming
from ogel.runtime.http.streamed import BodyStream

_KNOWN_READ, _KNOWN_WRITE = Access("known", None, "read"), Access("known", None, "write")
# The token in the URL is all that lets one in.
_READ, _WRITE = Access("open", None, "read"), Access("open", None, "write")
_BODY_BYTES = 2 * 1024 * 1024
_NOT_FOUND = "Either the object does not exist or you do not have access to it"


class _Wanted(msgspec.Struct):
    """What cannot be right is said in words of Supabase's, and not by the decoder."""

    expires_in: Any = msgspec.field(default=None, name="expiresIn")
    paths: Any = None
    transform: Wanted | None = None


class _Signed(msgspec.Struct, rename={"signed_url": "signedURL"}):
    signed_url: str


class _SignedOrNot(msgspec.Struct, rename={"signed_url": "signedURL"}):
    error: str | None
    path: str
    signed_url: str | None


class _ForUpload(msgspec.Struct):
    url: str
    token: str


class _Token(msgspec.Struct):
    token: str | None = None


class _Opening(_Token):
    download: str | None = None
    v: str | None = None


class SignedRoutes:
    def __init__(
        self, signer: UrlSigner, serving: ObjectServing, writer: ObjectWriter, most_bytes: int
    ) -> None:
        self._signer = signer
        self._serving = serving
        self._writer = writer
        self._most_bytes = most_bytes

    async def sign(self, call: Call[_Wanted, Any]) -> _Signed:
        bucket, name, seconds = call.path["bucket"], call.path["name"], _seconds(call.body)
        if (wanted := call.body.transform) not in (None, Wanted()):
            token = await self._signer.sign_rendition(call.principal, bucket, name, seconds, wanted)
            return _Signed(_url("/render/image/sign", bucket, name, token))
        token = await self._signer.sign_download(call.principal, bucket, name, seconds)
        return _Signed(_url("/object/sign", bucket, name, token))

    async def sign_many(self, call: Call[_Wanted, Any]) -> list[_SignedOrNot]:
        bucket, names, seconds = call.path["bucket"], _paths(call.body), _seconds(call.body)
        tokens = await self._signer.sign_downloads(call.principal, bucket, names, seconds)
        return [
            _SignedOrNot(None, name, _url("/object/sign", bucket, name, tokens[name]))
            if name in tokens
            else _SignedOrNot(_NOT_FOUND, name, None)
            for name in names
        ]

    async def download(self, call: Call[Any, _Opening]) -> Reply:
        query = call.query
        found, until = await self._signer.open(_token(query), call.path["bucket"], call.path["name"])
        return await self._serving.reply(found, Wish(download=saved_as(query.download), until=until))

    async def sign_upload(self, call: Call[Any, Any]) -> _ForUpload:
        bucket, name = call.path["bucket"], call.path["name"]
        upsert = call.header("x-upsert") == "true"
        token = await self._signer.sign_upload(call.principal, bucket, name, upsert=upsert)
        return _ForUpload(_url("/object/upload/sign", bucket, name, token), token)

    async def upload(self, call: Call[BodyStream, _Token]) -> dict[str, str]:
        bucket, name = call.path["bucket"], call.path["name"]
        principal, upsert = self._signer.uploader(_token(call.query), bucket, name)
        caller = msgspec.structs.replace(call.caller, principal=principal)
        stored = await take(call, self._writer, caller, bucket, name, upsert=upsert)
        return {"Key": f"{bucket}/{stored.name}"}

    def routes(self) -> Sequence[Route]:
        one, upload = "/object/sign/{bucket}/{name:path}", "/object/upload/sign/{bucket}/{name:path}"
        return [
            Route(
                "POST",
                one,
                self.sign,
                access=_KNOWN_READ,
                summary="Signs a URL to download an object",
                body=_Wanted,
                returns=_Signed,
            ),
            Route(
                "POST",
                "/object/sign/{bucket}",
                self.sign_many,
                access=_KNOWN_READ.taking(_BODY_BYTES),
                summary="Signs URLs to download many objects",
                body=_Wanted,
                returns=list[_SignedOrNot],
            ),
            Route(
                "GET",
                one,
                self.download,
                access=_READ,
                summary="The content of an object, by a signed URL",
                query=_Opening,
                returns=Content,
            ),
            Route(
                "POST",
                upload,
                self.sign_upload,
                access=_KNOWN_WRITE,
                summary="Signs a URL to upload an object",
                returns=_ForUpload,
            ),
            Route(
                "PUT",
                upload,
                self.upload,
                access=_WRITE.taking(self._most_bytes + FORM_BYTES),
                summary="Stores an object, by a signed URL",
                body=Streaming(checked=True, around_bytes=FORM_BYTES),
                query=_Token,
            ),
        ]


def _url(door: str, bucket: str, name: str, token: str) -> str:
    """
    As Supabase has it, unescaped, since its clients escape it; but for what would end the path, and they would leave.
    """
    return f"{door}/{bucket}/{name.replace('?', '%3F').replace('#', '%23')}?token={token}"


def _token(query: _Token) -> str:
    if query.token is None:
        raise invalid_request("querystring must have required property 'token'")
    return query.token


def _seconds(wanted: _Wanted) -> int:
    said = wanted.expires_in
    if said is None:
        raise invalid_request("body must have required property 'expiresIn'")
    if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < 20:
        said = int(said)
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    if not isinstance(said, int) or isinstance(said, bool):
        raise invalid_request("body/expiresIn must be integer")
    if said < 1:
        raise invalid_request("body/expiresIn must be >= 1")
    return said


def _paths(wanted: _Wanted) -> Sequence[str]:
    names = wanted.paths
    if names is None:
        raise invalid_request("body must have required property 'paths'")
    if not isinstance(names, list):
        raise invalid_request("body/paths must be array")
    if not names:
        raise invalid_request("body/paths must NOT have fewer than 1 items")
    if len(names) > MOST_NAMES:
        raise invalid_request(f"body/paths must NOT have more than {MOST_NAMES} items")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise invalid_request(f"body/paths/{index} must be string")
    return names

"""
A throwaway dialect, as storages of other products speak: XML errors, an `apikey` header, uploads and downloads that are
never held, and everything else the shell does for clients that are not ours.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.kernel.errors import Conflict, Malformed, NotFound, OgelError, RateLimited, Unavailable
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.access import OPEN, Access
from ogel.runtime.http.cookies import Cookie, cookies_of
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import Credential, apikey_header, bearer
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.input import Pairs
from ogel.runtime.http.multipart_body import PartLimits, parts
from ogel.runtime.http.ranges import Validators
from ogel.runtime.http.route import (
    Call,
    Chunks,
    Content,
    Form,
    Redirect,
    Reply,
    Route,
    Stream,
    Streaming,
    Text,
)
from ogel.runtime.http.streamed import BodyStream

PREFIX = "/shelf/v1"
MOST_UPLOAD = 64 * 1024 * 1024
CHECKED = Streaming(checked=True)
ORIGIN = "https://app.example.com"
MODIFIED = datetime(2026, 11, 1, 12, 0, 0, 987654, tzinfo=UTC)


class Token(msgspec.Struct, forbid_unknown_fields=True):
    grant_type: str
    username: str = ""
    expires_in: int = 3600


class Listing(msgspec.Struct, forbid_unknown_fields=True):
    prefix: str = ""
    most: int = msgspec.field(default=100, name="max-keys")


@dataclass(slots=True)
class Stored:
    size: int
    digest: str
    content: bytes = b""
    largest_piece: int = 0


@dataclass
class Shelf:
    """`left`: set when a reader of an endless body has gone."""

    objects: dict[str, Stored] = field(default_factory=dict)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    pieces: int = 0

    def dialect(self) -> Dialect:
        read, write = Access("known", "shelf:read", "read"), Access("key", "shelf:write", "write")
        hear = Access("key", "shelf:read", "stream")
        upload = write.audited("object.create").taking(MOST_UPLOAD)
        return Dialect(
            name="shelf",
            prefix=PREFIX,
            render_error=xml,
            credentials=(session_cookie, bearer, apikey_header),
            strict_parameters=False,
            cors=Cors(origins=(ORIGIN,), credentials=True, exposed=("ETag", "Content-Range")),
            routes=[
                Route(
                    "POST",
                    "/object/{bucket}/{key:path}",
                    self.upload,
                    upload,
                    "Store",
                    body=Streaming(checked=True),
                ),
                Route("GET", "/object/{bucket}/{key:path}", self.download, read, "Fetch", returns=Content),
                Route("OPTIONS", "/object/{bucket}/{key:path}", self.tus, OPEN, "What tus asks"),
                Route("GET", "/list/{bucket}", self.list, read, "List", dict, query=Listing),
                Route("GET", "/rest", self.rest, read, "Any parameters", list, query=Pairs),
                Route("POST", "/token", self.token, OPEN.taking(4096), "Sign in", dict, body=Form(Token)),
                Route("GET", "/old/{key:path}", self.moved, OPEN, "Elsewhere", returns=Redirect),
                Route("GET", "/endless", self.endless, OPEN, "More than anyone wants", returns=Chunks),
                Route("GET", "/fail/{how}", self.fail, OPEN, "Fail"),
                Route("GET", "/me", self.me, Access("user", None, "read"), "Who am I", dict),
            ],
            streams=[
                Stream(
                    "/listen",
                    self.listen,
                    hear,
                    "Hear",
                    None,
                    "text/event-stream",
                ),
                Stream("/socket", self.socket, hear, "Talk", None),
            ],
        )

    async def upload(self, call: Call[BodyStream, None]) -> Reply:
        key = f"{call.path['bucket']}/{call.path['key']}"
        if not call.body.content_type.startswith("multipart/"):
            self.objects[key] = await stored(aiter(call.body), keep=call.header("X-Keep") is not None)
            return Reply({"Key": key, "fields": {}}, 201)
        fields: dict[str, Any] = {}
        async for part in parts(call.body, PartLimits(most_parts=5)):
            if part.filename is None:
                fields[part.name] = (await part.read(1024)).decode()
            elif part.name != "skipped":
                self.objects[key] = await stored(aiter(part), keep=call.header("X-Keep") is not None)
                fields["file"] = [part.filename, part.content_type]
        return Reply({"Key": key, "fields": fields}, 201)

    async def download(self, call: Call[None, None]) -> Reply:
        key = f"{call.path['bucket']}/{call.path['key']}"
        found = self.objects.get(key)
        if found is None:
            raise NotFound(f"There is no {key}.")

        async def read(first: int, end: int) -> AsyncIterator[bytes]:
            for at in range(first, end, 10_000):
                yield found.content[at : min(end, at + 10_000)]

        content = Content(
            found.size,
            "image/png",
            read,
            Validators(f'"{found.digest}"', MODIFIED),
            bytes.fromhex(found.digest),
        )
        return Reply(content, headers={"Cache-Control": "max-age=3600"})

    async def tus(self, call: Call[None, None]) -> Reply:
        return Reply(None, headers={"Tus-Version": "1.0.0", "Tus-Max-Size": str(MOST_UPLOAD)})

    async def list(self, call: Call[None, Listing]) -> dict[str, Any]:
        return {"prefix": call.query.prefix, "most": call.query.most, "bucket": call.path["bucket"]}

    async def rest(self, call: Call[None, Pairs]) -> list[tuple[str, str]]:
        return [*call.query]

    async def token(self, call: Call[Token, None]) -> Reply:
        if call.body.username == "":
            raise Malformed("Who are you?")
        session = Cookie("session", f"of-{call.body.username}", call.body.expires_in, path=PREFIX)
        return Reply({"expires_in": call.body.expires_in}, cookies=[session, Cookie("old", "", 0)])

    async def moved(self, call: Call[None, None]) -> Redirect:
        return Redirect(f"{PREFIX}/object/b/{call.path['key']}?from=old", 307)

    async def endless(self, call: Call[None, None]) -> Chunks:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    self.pieces += 1
                    yield b"x" * 65536
            finally:
                self.left.set()

        return Chunks(pieces(), "application/octet-stream")

    async def fail(self, call: Call[None, None]) -> None:
        match call.path["how"]:
            case "limited":
                raise RateLimited("Slow down.", retry_after_seconds=7)
            case "conflict":
                raise Conflict("It is <there> & busy.")
            case "away":
                raise Unavailable("The store is away.")
            case _:
                raise ZeroDivisionError("the secret of the bug")

    async def me(self, call: Call[None, None]) -> dict[str, Any]:
        who = call.principal
        return {"id": who.id, "role": who.role, "claims": who.claims, "session": who.session}

    async def listen(self, call: Call[None, None], scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": f"data: {call.principal.id}\n\n".encode()})

    async def socket(self, call: Call[None, None], scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": call.principal.id})
        await send({"type": "websocket.close", "code": 1000})


async def stored(pieces: AsyncIterator[bytes], *, keep: bool) -> Stored:
    digest, content, size, largest = hashlib.sha256(), b"", 0, 0
    async for piece in pieces:
        digest.update(piece)
        size += len(piece)
        largest = max(largest, len(piece))
        content += piece if keep else b""
    return Stored(size, digest.hexdigest(), content, largest)


def session_cookie(scope: Scope) -> Credential | None:
    session = cookies_of(exchange_of(scope).headers).get("session")
    return None if session is None else Credential("session", session)


async def by_session(credential: Credential, _: Caller) -> Principal | None:
    name = credential.value.removeprefix("of-")
    if name == "nobody":
        return None
    return Principal(
        "user",
        f"usr_{name}",
        frozenset({"shelf:read"}),
        role="authenticated",
        claims={"sub": name},
        session="ses_1",
    )


def xml(error: OgelError, scope: Scope) -> Reply:
    if "renderer-bug" in scope["path"]:
        raise ZeroDivisionError("the secret of the renderer")
    code = type(error).__name__ if error.status < 500 else "InternalError"
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(error.message)}</Message>'
        f"<Resource>{escape(scope['path'])}</Resource><RequestId>{exchange_of(scope).request_id}</RequestId></Error>"
    )
    return Reply(Text(body.encode(), "application/xml"), 400 if error.status == 422 else error.status)

"""Turns a handler's return value into status, headers and bytes."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import quote

import msgspec
from starlette.types import Scope, Send

from ogel.kernel.clock import rfc3339
from ogel.runtime.http.byteranges import ByteRanges, content_range
from ogel.runtime.http.digests import wants_sha256
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.problem import PreconditionFailed, RangeNotSatisfiable
from ogel.runtime.http.ranges import unmet, wanted_ranges
from ogel.runtime.http.route import Chunks, Content, Redirect, Reply, Text

Headers = list[tuple[bytes, bytes]]

# Declared types are never nested this deep; deeper values are JSON of users, which contains no datetimes.
_DEEPEST = 16


# Types that contain no datetime and need not be searched for one.
_PLAIN = frozenset({str, int, float, bool, bytes, type(None), msgspec.Raw})
_NO_OFFSET = timedelta()


async def send_reply(result: object, status: int, scope: Scope, send: Send) -> None:
    """Sends a reply. `status` is the route's default. Raises RangeNotSatisfiable."""
    if isinstance(result, Reply):
        reply, value = result, result.value
    else:
        reply, value = None, result
    if isinstance(value, (Chunks, Content)):
        await _send_pieces(reply, value, status, scope, send)
        return
    status, headers, body = written(reply, value, status)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def written(reply: Reply | None, value: object, status: int) -> tuple[int, Headers, bytes]:
    """
    Returns status, head and body of a value that is sent whole; `status` is used when the reply does not choose one.
    """
    if value is None:
        status = 204
    elif isinstance(value, Redirect):
        status = value.status
    headers: Headers = []
    if reply is not None:
        status, headers = reply.status or status, _chosen(reply)
    if status == 204:
        return status, headers, b""
    if value is None:  # with another status, which takes a length
        return status, [*headers, (b"content-length", b"0")], b""
    if isinstance(value, Redirect):
        headers += [(b"location", _location(value.url)), (b"content-length", b"0")]
        return status, headers, b""
    body, media_type = _content(value)
    headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    return status, headers, body


def _chosen(reply: Reply) -> Headers:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()
    ]
    return headers + [(b"set-cookie", cookie.header().encode("latin-1")) for cookie in reply.cookies]


def _location(url: str) -> bytes:
    """Escapes characters that are not allowed in URLs, so that a user's parameters cannot inject headers."""
    return quote(url, safe=":/%#?=@[]!$&'()*+,;~").encode("ascii")


def _content(value: object) -> tuple[bytes, bytes]:
    if isinstance(value, Text):
        return value.content, value.media_type.encode("latin-1")
    return encode_json(
        value
    ) + b"\n", b"application/json"  # the newline keeps a shell's prompt on a line of its own


async def _send_pieces(
    reply: Reply | None, value: Chunks | Content, status: int, scope: Scope, send: Send
) -> None:
    exchange_of(scope).lasting = True
    headers: Headers = []
    if reply is not None:
        status, headers = reply.status or status, _chosen(reply)
    if isinstance(value, Chunks):
        pieces, length = value.content, value.length
        headers.append((b"content-type", value.media_type.encode("latin-1")))
    else:
        status, of_range, pieces, length = _part(value, status, scope)
        headers += of_range
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    async with aclosing(pieces) if isinstance(pieces, AsyncGenerator) else nullcontext():
        is_head = scope["method"] == "HEAD"
        # Content that cannot be read is still told so, in place of the head. Chunks may be long in coming.
        first = await anext(pieces, b"") if isinstance(value, Content) and not is_head else b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if first:
            await send({"type": "http.response.body", "body": first, "more_body": True})
        if not is_head:
            async for piece in pieces:
                if piece:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    # When chunks are ready and the client is fast, nothing else here would yield to other requests.
                    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


def _part(
    content: Content, status: int, scope: Scope
) -> tuple[int, Headers, AsyncIterator[bytes], int | None]:
    """
    Selects what is asked for. A HEAD is answered as the GET would be, for ranges too, which RFC 9110 §14.2 knows of GET
    only: so clients of S3 learn whether there is such a part.
    """
    asked, validators, size = exchange_of(scope).headers, content.validators, content.size
    headers: Headers = [(b"accept-ranges", b"bytes")]
    if validators.etag is not None:
        headers.append((b"etag", validators.etag.encode("latin-1")))
    if (modified := validators.last_modified) is not None:
        headers.append((b"last-modified", modified.encode("ascii")))
    if (instead := unmet(asked, validators)) == 412:
        raise PreconditionFailed("It is not the version that was asked for.")
    if instead == 304:
        return 304, headers, _nothing(), None
    media_type = content.media_type.encode("latin-1")
    parts = wanted_ranges(asked, validators, size)
    if parts == "unsatisfiable":
        raise RangeNotSatisfiable(size)
    if content.elsewhere is not None and scope["method"] == "GET":
        return 302, [(b"location", _location(content.elsewhere))], _nothing(), 0
    if content.sha256 is not None and wants_sha256(asked):
        headers.append((b"repr-digest", b"sha-256=:%b:" % b64encode(content.sha256)))
    if parts is None:
        headers.append((b"content-type", media_type))
        return status, headers, content.read(0, size), size
    if len(parts) > 1:
        several = ByteRanges(parts, size, media_type, content.read)
        headers.append((b"content-type", several.media_type))
        return 206, headers, several.pieces(), several.length
    first, end = parts[0]
    headers += [(b"content-type", media_type), (b"content-range", content_range(parts[0], size))]
    return 206, headers, content.read(first, end), end - first


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def encode_json(value: object) -> bytes:
    """Encodes JSON with all times in RFC 3339, UTC and microseconds (msgspec alone would drop `.000000`)."""
    return msgspec.json.encode(_with_written_times(value, 0))


def _with_written_times(value: Any, depth: int) -> Any:
    """Returns the same object when it has no datetime to format, else a copy in which they are formatted."""
    if type(value) in _PLAIN or depth == _DEEPEST:
        return value
    if isinstance(value, datetime):
        return value if value.microsecond and value.utcoffset() == _NO_OFFSET else rfc3339(value)
    depth += 1
    if isinstance(value, msgspec.Struct):
        changed = {}
        for name in _fields_with_times(type(value)):
            old = getattr(value, name)
            new = _with_written_times(old, depth)
            if new is not old:
                changed[name] = new
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, dict):
        return {key: _with_written_times(each, depth) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_with_written_times(each, depth) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _with_written_times(getattr(value, each.name), depth) for each in fields(value)}
    return value


@cache
def _fields_with_times(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """
    Lists the fields that can hold a time. Most are texts and numbers, which then need no check in every row of a list.
    """
    return tuple(each.name for each in msgspec.structs.fields(kind) if _may_hold_times(each.type))


def _may_hold_times(annotation: Any) -> bool:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _may_hold_times(parts[0])
    if origin in (Union, UnionType, list, dict):
        return any(map(_may_hold_times, parts))
    return annotation not in _PLAIN and origin is not Literal

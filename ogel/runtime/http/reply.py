"""What a handler returned, as status, headers and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from starlette.types import Send

from ogel.kernel.clock import rfc3339
from ogel.runtime.http.route import Reply, Text

# Declared types are never this deep; what is deeper came out of somebody's JSON, which has no datetimes.
_DEEPEST = 16


# What holds no time, however it is looked at.
_PLAIN = frozenset({str, int, float, bool, bytes, type(None), msgspec.Raw})
_NO_OFFSET = timedelta()


async def send_reply(result: object, status: int, send: Send) -> None:
    """`status` is the route's own, for a result that does not choose one."""
    extra: Mapping[str, str] = {}
    if isinstance(result, Reply):
        status, extra, result = result.status or _status(result.value, status), result.headers, result.value
    else:
        status = _status(result, status)
    headers = (
        [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in extra.items()]
        if extra
        else []
    )
    body = b""
    if status != 204:
        body, media_type = _content(result)
        headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _status(value: object, status: int) -> int:
    return 204 if value is None else status


def _content(value: object) -> tuple[bytes, bytes]:
    if isinstance(value, Text):
        return value.content, value.media_type.encode("latin-1")
    return encode_json(value) + b"\n", b"application/json"  # a prompt begins on a line of its own


def encode_json(value: object) -> bytes:
    """JSON whose times are all RFC 3339 in UTC with microseconds (msgspec alone would drop `.000000`)."""
    return msgspec.json.encode(_with_written_times(value, 0))


def _with_written_times(value: Any, depth: int) -> Any:
    """The same object when there is no datetime in it that needs it, else a copy with each of those written out."""
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
    """Most fields of a row are texts and numbers, which nobody need look at again for each row of each list."""
    return tuple(each.name for each in msgspec.structs.fields(kind) if _may_hold_times(each.type))


def _may_hold_times(annotation: Any) -> bool:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _may_hold_times(parts[0])
    if origin in (Union, UnionType, list, dict):
        return any(map(_may_hold_times, parts))
    return annotation not in _PLAIN and origin is not Literal

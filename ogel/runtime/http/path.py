"""Paths of requests: percent-encoding is undone once, segment by segment, so that a parameter may hold a slash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from ogel.kernel.errors import Malformed, NotFound

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What a request to a proxy begins with, and servers have to understand (RFC 9112 §3.2.2).
_ORIGIN = re.compile(rb"\Ahttps?://[^/]*", re.IGNORECASE)
# RFC 3986 §2.1.
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Paths:
    """
    Keeps paths away from the router that no resource can have. The others it gets with the slashes in their segments
    still encoded, and the percent signs, so that `parameters` can tell which they are; dots mean nothing (RFC 3986
    §5.2.4 is for who resolves links).
    """

    def __init__(self, router: ASGIApp) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _ORIGIN.sub(b"", scope["raw_path"])
        scope["path"] = "/".join(map(_for_router, path.split(b"/")))
        # With an "app" in the scope, starlette raises its 405s instead of writing them as plain text.
        scope["app"] = self
        await self._router(scope, receive, send)


def parameters(scope: Scope) -> Mapping[str, str]:
    """The path parameters as the client means them."""
    return {name: unquote(value) for name, value in scope["path_params"].items()}


def _for_router(segment: bytes) -> str:
    if _NO_ESCAPE.search(segment):
        raise Malformed("The path has a % that begins no escape; a percent sign is written %25.")
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The path is not valid UTF-8.") from error
    if _CONTROL.search(text):
        raise NotFound("No resource has a control character in its path.")
    return text.replace("%", "%25").replace("/", "%2F")

"""`/status`, `/version`, `/health`: whether storage is there, for those that ask before they begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel import __version__
from ogel.runtime.http.access import OPEN, Access
from ogel.runtime.http.route import Call, Route, Text


async def status(call: Call[Any, Any]) -> Text:
    return Text(b"", "text/plain; charset=utf-8")


async def version(call: Call[Any, Any]) -> Text:
    return Text(__version__.encode(), "text/plain; charset=utf-8")


async def health(call: Call[Any, Any]) -> dict[str, bool]:
    return {"healthy": True}


def routes() -> Sequence[Route]:
    return [
        Route("GET", "/status", status, access=OPEN, summary="Answers while the process does", returns=Text),
        Route("GET", "/version", version, access=OPEN, summary="The version of Ogel", returns=Text),
        Route(
            "GET",
            "/health",
            health,
            access=Access("known", None, "read"),
            summary="Whether a key is good for storage",
            returns=dict[str, bool],
        ),
    ]

"""/auth/v1: what clients of Supabase Auth ask, answered as they expect. Rules live in the services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.gotrue.errors import render_error
from ogel.runtime.http.access import OPEN
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import apikey_header
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.route import Call, Route

PREFIX = "/auth/v1"
# The server that this speaks like.
VERSION = "v2.196.0"


def gotrue(routes: Sequence[Route]) -> Dialect:
    health = Route("GET", "/health", _health, access=OPEN, summary="Says that accounts are served")
    return Dialect(
        "gotrue",
        PREFIX,
        render_error=render_error,
        companions=(apikey_header,),
        strict_parameters=False,
        cors=Cors(exposed=("X-Total-Count", "Link", "X-Supabase-Api-Version", "x-sb-error-code")),
        routes=[health, *routes],
    )


async def _health(call: Call[Any, Any]) -> dict[str, str]:
    return {
        "version": VERSION,
        "name": "GoTrue",
        "description": "GoTrue is a user registration and authentication API",
    }

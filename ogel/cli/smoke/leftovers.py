"""
What a run makes says when it may go, so that the next one can clear away what an earlier one left that was killed.
Listeners are forgotten by the suite itself, a minute after nobody asks for them.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

import msgspec

from ogel.cli.smoke.asking import Suite
from ogel.kernel.clock import utc_now

LASTS = timedelta(minutes=10)
_BUCKET = "ogel-smoke-"
_DESCRIPTION = "ogel smoke, until "
_STAMP = "%Y%m%dt%H%M%Sz"
_UNTIL = re.compile(r"[0-9]{8}t[0-9]{6}z", re.ASCII)


class _Bucket(msgspec.Struct):
    id: str


class _Endpoint(msgspec.Struct):
    id: str
    description: str


def bucket_name() -> str:
    return f"{_BUCKET}{_until()}-{secrets.token_hex(4)}"


def description() -> str:
    return _DESCRIPTION + _until()


def remove_bucket(suite: Suite, id: str) -> None:
    where = f"/api/storage/buckets/{id}"
    suite.ask("leftovers", "POST", f"{where}/empty", also=(404,))
    suite.ask("leftovers", "DELETE", where, also=(404,))


def clear_buckets(suite: Suite) -> int:
    """Of earlier runs. Returns how many."""
    buckets = suite.listed("leftovers", "/api/storage/buckets", _Bucket)
    old = [each.id for each in buckets if _is_over(each.id, _BUCKET)]
    for id in old:
        remove_bucket(suite, id)
    return len(old)


def clear_endpoints(suite: Suite) -> int:
    """Likewise."""
    endpoints = suite.listed("leftovers", "/api/webhooks", _Endpoint)
    old = [each.id for each in endpoints if _is_over(each.description, _DESCRIPTION)]
    for id in old:
        suite.ask("leftovers", "DELETE", f"/api/webhooks/{id}", also=(404,))
    return len(old)


def _until() -> str:
    return (utc_now() + LASTS).strftime(_STAMP)


def _is_over(text: str, beginning: str) -> bool:
    """Others may begin likewise."""
    found = _UNTIL.match(text.removeprefix(beginning)) if text.startswith(beginning) else None
    if found is None:
        return False
    try:
        return datetime.strptime(found[0], _STAMP).replace(tzinfo=UTC) < utc_now()
    except ValueError:
        return False

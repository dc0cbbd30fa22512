"""Checks a MongoDB database: whether it answers, and what dbStats and serverStatus report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from ogel.adapters.mongo import TidyClient
from ogel.runtime.database.registered import Seen, Target, TargetError

_TIMEOUT_MS = 5000
_MESSAGE_LENGTH = 500
# "Authentication failed" and "command … requires authentication".
_AUTHENTICATION_CODES = (13, 18)


async def look(target: Target, address: str, tidying: AsyncExitStack) -> Seen:
    """
    Raises TargetError. A database whose statistics may not be read is still reachable. Closing may take longer than the
    answer and is left to `tidying`.
    """
    try:
        from pymongo import errors
    except ImportError:
        raise TargetError(
            "this process lacks the MongoDB driver: pip install 'ogel[mongo]'", final=True
        ) from None
    try:
        tidy = TidyClient(timeout_ms=_TIMEOUT_MS, **arguments(target, address))
        tidying.push_async_callback(tidy.close)
        client = tidy.pymongo
        version = str((await client.admin.command("buildInfo")).get("version", "?"))
        began = time.monotonic()
        await client.admin.command("ping")
        latency = time.monotonic() - began
        stats: dict[str, Any] = {}
        failed = None
        for name, read in (("dbStats", _of_database), ("serverStatus", _of_server)):
            try:
                stats.update(read(await client[target.database].command(name)))
            except errors.OperationFailure as error:
                if error.code in _AUTHENTICATION_CODES and target.username is None:
                    raise
                failed = failed or f"{name}: {told(target, error)}"
        return Seen(latency, version, stats, failed)
    except (errors.PyMongoError, ValueError) as error:
        final = getattr(error, "code", None) in _AUTHENTICATION_CODES
        raise TargetError(told(target, error), final=final) from None


def arguments(target: Target, address: str) -> dict[str, Any]:
    """Connects to the checked server only; the replica set's other members are not followed."""
    verifies = target.ssl_mode == "verify-full"
    host = target.host if verifies else address
    arguments: dict[str, Any] = {
        # The driver takes an address of IPv6 in brackets only.
        "host": f"[{host}]" if ":" in host else host,
        "port": target.port,
        "directConnection": True,
        "appname": "ogel-databases",
        "maxPoolSize": 1,
    }
    if target.ssl_mode != "disable":
        arguments |= {"tls": True, "tlsAllowInvalidCertificates": not verifies}
    if target.username is not None:
        arguments |= {
            "username": target.username,
            "password": target.password or "",
            "authSource": target.auth_source or "admin",
        }
    return arguments


def _of_database(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "collections": _number(answer, "collections"),
        "documents": _number(answer, "objects"),
        "size_bytes": _number(answer, "dataSize"),
        "storage_bytes": _number(answer, "storageSize"),
        "indexes": _number(answer, "indexes"),
        "index_bytes": _number(answer, "indexSize"),
    }


def _of_server(answer: Mapping[str, Any]) -> dict[str, Any]:
    connections, operations = answer.get("connections", {}), answer.get("opcounters", {})
    return {
        "uptime_seconds": _number(answer, "uptime"),
        "connections": {
            name: _number(connections, name) for name in ("current", "available", "totalCreated")
        },
        "resident_mb": _number(answer.get("mem", {}), "resident"),
        "operations": {
            name: _number(operations, name) for name in ("insert", "query", "update", "delete", "command")
        },
    }


def _number(answer: Mapping[str, Any], name: str) -> int | float | None:
    """Returns a plain number: the driver has number types that JSON does not have."""
    value = answer.get(name)
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else None


def told(target: Target, error: Exception) -> str:
    # The long form repeats the topology after the reason.
    text = str(error).partition(", full error")[0].partition(", Timeout:")[0].partition(" (configured")[0]
    if text == "No servers found yet":
        text = f"no answer in the time allowed ({_TIMEOUT_MS / 1000:g} s)"
    return (" ".join(target.without_password(text).split()) or type(error).__name__)[:_MESSAGE_LENGTH]

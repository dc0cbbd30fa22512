"""MongoDB, looked at: whether it answers, and what dbStats and serverStatus say."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ogel.runtime.databases import Seen, Target, TargetError

_TIMEOUT_MS = 5000
_MESSAGE_LENGTH = 500
# "Authentication failed" and "command … requires authentication".
_AUTHENTICATION_CODES = (13, 18)


async def look(target: Target, addresses: Sequence[str]) -> Seen:
    """Raises TargetError. Statistics that one may not read do not make it unreachable."""
    try:
        from pymongo import AsyncMongoClient
        from pymongo.errors import OperationFailure, PyMongoError
    except ImportError:
        raise TargetError(
            "this process lacks the MongoDB driver: pip install 'ogel[mongo]'", final=True
        ) from None
    await _knock(addresses[0], target.port)
    client: AsyncMongoClient[dict[str, Any]] | None = None
    try:
        client = AsyncMongoClient(**_arguments(target, addresses[0]))
        version = str((await client.admin.command("buildInfo")).get("version", "?"))
        began = time.monotonic()
        await client.admin.command("ping")
        latency = time.monotonic() - began
        stats: dict[str, Any] = {}
        failed = None
        for name, read in (("dbStats", _of_database), ("serverStatus", _of_server)):
            try:
                stats.update(read(await client[target.database].command(name)))
            except OperationFailure as error:
                if error.code in _AUTHENTICATION_CODES and target.username is None:
                    raise
                failed = failed or f"{name}: {_told(target, error)}"
        return Seen(latency, version, stats, failed)
    except (PyMongoError, ValueError) as error:
        final = getattr(error, "code", None) in _AUTHENTICATION_CODES
        raise TargetError(_told(target, error), final=final) from None
    finally:
        if client is not None:
            await client.close()


async def _knock(address: str, port: int) -> None:
    """The driver goes on trying a server that is not there for as long as it may. Raises TargetError."""
    try:
        async with asyncio.timeout(_TIMEOUT_MS / 1000):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        raise TargetError(f"no connection within {_TIMEOUT_MS / 1000:g} s") from None
    except OSError as error:
        raise TargetError(os.strerror(error.errno) if error.errno else str(error)) from None
    writer.close()


def _arguments(target: Target, address: str) -> dict[str, Any]:
    """One server, the one that was looked at: what it says of its replica set is not followed."""
    verifies = target.ssl_mode == "verify-full"
    arguments: dict[str, Any] = {
        "host": target.host if verifies else address,
        "port": target.port,
        "directConnection": True,
        "appname": "ogel-databases",
        "maxPoolSize": 1,
        "serverSelectionTimeoutMS": _TIMEOUT_MS,
        "connectTimeoutMS": _TIMEOUT_MS,
        "socketTimeoutMS": _TIMEOUT_MS,
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
        "collections": answer.get("collections"),
        "documents": answer.get("objects"),
        "size_bytes": answer.get("dataSize"),
        "storage_bytes": answer.get("storageSize"),
        "indexes": answer.get("indexes"),
        "index_bytes": answer.get("indexSize"),
    }


def _of_server(answer: Mapping[str, Any]) -> dict[str, Any]:
    connections, memory = answer.get("connections", {}), answer.get("mem", {})
    return {
        "uptime_seconds": answer.get("uptime"),
        "connections": {name: connections.get(name) for name in ("current", "available", "totalCreated")},
        "resident_mb": memory.get("resident"),
        "operations": dict(answer.get("opcounters", {})),
    }


def _told(target: Target, error: Exception) -> str:
    # Its long form repeats the topology behind the reason.
    text = str(error).partition(", full error")[0].partition(", Timeout:")[0].partition(" (configured")[0]
    return target.without_password(" ".join(text.split()) or type(error).__name__)[:_MESSAGE_LENGTH]

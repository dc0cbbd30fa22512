"""How many documents a MongoDB server has, whether anybody writes, and who is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from typing import Any

from ogel.adapters.databases.addresses import first_open
from ogel.adapters.databases.drivers import vetted
from ogel.adapters.databases.mongodb import arguments, told
from ogel.adapters.mongo import TidyClient
from ogel.runtime.database.registered import Target, TargetError
from ogel.runtime.surveys import DocumentsSeen

SURVEY_SECONDS = 20.0
_TIMEOUT_MS = 5000
_MAX_DATABASES = 20
_MAX_COLLECTIONS = 50
_OWN_DATABASES = ("admin", "config", "local")


async def documents(target: Target) -> DocumentsSeen:
    """Raises TargetError."""
    try:
        from pymongo import errors
    except ImportError:
        raise TargetError(
            "this process lacks the MongoDB driver: pip install 'ogel[mongo]'", final=True
        ) from None
    async with AsyncExitStack() as tidying:
        try:
            async with asyncio.timeout(SURVEY_SECONDS):
                address = await first_open(await vetted(target), target.port)
                tidy = TidyClient(timeout_ms=_TIMEOUT_MS, **arguments(target, address))
                tidying.push_async_callback(tidy.close)
                return await _documents(target, tidy.pymongo)
        except TimeoutError:
            raise TargetError(f"it did not answer within {SURVEY_SECONDS:g} s") from None
        except (errors.PyMongoError, ValueError) as error:
            raise TargetError(told(target, error)) from None


async def _documents(target: Target, client: Any) -> DocumentsSeen:
    from pymongo.errors import OperationFailure

    hello = await client.admin.command("hello")
    failed: str | None = None

    async def asked(database: str, *command: Any, **options: Any) -> Mapping[str, Any]:
        nonlocal failed
        try:
            answer: Mapping[str, Any] = await client[database].command(*command, **options)
        except OperationFailure as error:
            failed = failed or f"{command[0]}: {told(target, error)}"
            return {}
        return answer

    build = await asked("admin", "buildInfo")
    server = await asked("admin", "serverStatus")
    listed = await asked("admin", "listDatabases", 1, nameOnly=True)
    names = None
    if isinstance(listed.get("databases"), list):
        all_names = [str(each.get("name")) for each in listed["databases"] if isinstance(each, Mapping)]
        names = [each for each in all_names if each not in _OWN_DATABASES]
    stats = [await asked(name, "dbStats") for name in (names or ())[:_MAX_DATABASES]]
    counts, writes = server.get("opcounters"), None
    if isinstance(counts, Mapping):
        writes = sum(_number(counts, each) or 0 for each in ("insert", "update", "delete"))
    current = _number(server.get("connections"), "current")
    return DocumentsSeen(
        version=str(build.get("version") or hello.get("version") or "?")[:40],
        databases=names,
        documents=_sum(stats, "objects") if names is not None else None,
        size_bytes=_sum(stats, "dataSize") if names is not None else None,
        # Ours is one, and the one that watches the server another.
        connections=None if current is None else max(0, current - 2),
        writes=writes,
        uptime_seconds=_number(server, "uptime"),
        newest=await _newest(client, (names or ())[:_MAX_DATABASES]),
        error=failed,
    )


async def _newest(client: Any, names: Sequence[str]) -> datetime | None:
    """By the ids of documents, which begin with the second they were made in, where nobody chose others."""
    from bson import ObjectId
    from pymongo.errors import OperationFailure

    found: list[datetime] = []
    looked = 0
    for name in names:
        with suppress(OperationFailure):
            for collection in (await client[name].list_collection_names())[:_MAX_COLLECTIONS]:
                looked += 1
                if looked > _MAX_COLLECTIONS:
                    return max(found, default=None)
                with suppress(OperationFailure):
                    last = await client[name][collection].find_one({}, {"_id": 1}, sort=[("_id", -1)])
                    if last is not None and isinstance(last.get("_id"), ObjectId):
                        found.append(last["_id"].generation_time)
    return max(found, default=None)


def _sum(stats: Sequence[Mapping[str, Any]], name: str) -> int | None:
    """None where one of them is not known: a part would look like all."""
    values = [_number(each, name) for each in stats]
    return None if any(each is None for each in values) else sum(each or 0 for each in values)


def _number(answer: Any, name: str) -> int | None:
    value = answer.get(name) if isinstance(answer, Mapping) else None
    return int(value) if isinstance(value, int | float) else None

"""Realtime as its users meet it: one event, heard over WebSocket and SSE, in one process and in many."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.process import ADMIN_KEY, Ogel, eventually
from tests.support.realtime import UPGRADE, an_sse_block

ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
LIMIT_SECONDS = 30
# Streams are ended, not waited for: far less than the drain time.
STOP_SECONDS = 10


def test_up_tells_every_listener_what_it_asked_for(tmp_path: Path) -> None:
    with Ogel("up", log=tmp_path / "up.log", OGEL_DATA_DIR=str(tmp_path / "data")) as ogel:
        asyncio.run(asyncio.wait_for(both_streams_hear(api=ogel, realtime=ogel), LIMIT_SECONDS))


def test_separate_processes_tell_every_listener_what_it_asked_for(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    commands = {"api": ["api"], "worker": ["worker", "realtime"], "realtime": ["realtime"]}
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(Ogel(*command, log=tmp_path / f"{name}.log", **servers))
            for name, command in commands.items()
        }
        assert started["api"].api("GET", "/realtime/sse").status == 404
        assert started["realtime"].api("GET", "/api/events").status == 404
        story = both_streams_hear(api=started["api"], realtime=started["realtime"])
        asyncio.run(asyncio.wait_for(story, LIMIT_SECONDS))


async def both_streams_hear(api: Ogel, realtime: Ogel) -> None:
    await asyncio.to_thread(eventually, lambda: hears_redis(realtime), 10, "the feed to be connected")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{realtime.port}") as http:
        await strangers_are_refused(http)
        async with (
            http.ws_connect("/realtime/websocket?events=order.*", headers=ADMIN) as socket,
            http.get("/realtime/sse?events=*.created", headers=ADMIN) as sse,
        ):
            assert (await socket.receive_json())["type"] == "ready"
            assert (await an_sse_block(sse))["event"] == "ready"

            types = ["customer.updated", "order.created", "order.paid", "customer.created"]
            batch = [{"type": type, "data": {"of": type}, "subject": "s_1"} for type in types]
            published = await asyncio.to_thread(api.api.ok, "POST", "/api/events", batch)
            ids = {type: event["id"] for type, event in zip(types, published, strict=True)}

            heard = [(await socket.receive_json())["event"] for _ in range(2)]
            expect(heard, ["order.created", "order.paid"], ids)
            heard = [json.loads((await an_sse_block(sse))["data"]) for _ in range(2)]
            expect(heard, ["order.created", "customer.created"], ids)

            stopping = asyncio.create_task(asyncio.to_thread(realtime.terminate, STOP_SECONDS))
            closed = await socket.receive()
            assert (closed.type, closed.data, closed.extra) == (aiohttp.WSMsgType.CLOSE, 1001, "shutdown")
            assert await an_sse_block(sse) == {"event": "end", "data": '{"reason":"shutdown"}'}
            assert await stopping == 0


async def strangers_are_refused(http: aiohttp.ClientSession) -> None:
    for stream, headers in (("websocket", UPGRADE), ("sse", {})):
        for stranger in ({}, {"Authorization": "Bearer not-the-admins-key"}):
            async with http.get(f"/realtime/{stream}", headers={**headers, **stranger}) as response:
                assert response.status == 401
                problem = await response.json(content_type="application/problem+json")
                assert problem["type"] == "urn:ogel:unauthenticated"


def expect(heard: list[dict[str, Any]], types: list[str], ids: dict[str, str]) -> None:
    """In any order: a batch is a set."""
    assert {event["id"] for event in heard} == {ids[type] for type in types}
    for event in heard:
        assert event["data"] == {"of": event["type"]}
        assert event["subject"] == "s_1"
        assert event["timestamp"].endswith("Z")


def hears_redis(ogel: Ogel) -> bool:
    return b"ogel_realtime_feed_connected 1.0" in ogel.api("GET", "/metrics").raw

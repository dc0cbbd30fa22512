"""Who comes back with a cursor gets what was missed, in order and once, or is told that it is not all there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ogel.features.realtime.channels import recovery
from ogel.features.realtime.channels.names import EVENTS
from ogel.features.realtime.own.cursor import Cursors
from tests.support.realtime import LISTENER, World, a_world, an_event, an_sse_block

Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def run(redis_url: str, database_url: str) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        async def told() -> None:
            async with a_world(redis_url, database_url) as world:
                await story(world)

        asyncio.run(told())

    return run


async def resumed(world: World, query: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`ready`, and what comes until nothing does."""
    async with world.http.ws_connect(f"/realtime/websocket?{query}", headers=LISTENER) as socket:
        ready, heard = await socket.receive_json(), []
        while True:
            try:
                async with asyncio.timeout(0.3):
                    message = await socket.receive()
            except TimeoutError:
                return ready, heard
            if message.type.name != "TEXT":
                heard.append({"type": "close", "code": message.data, "reason": message.extra})
                return ready, heard
            heard.append(message.json())


def test_a_websocket_gets_what_it_missed(run: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        query = "events=order.*&channels=chat:1,chat:2"
        async with world.websocket(f"?{query}") as socket:
            await world.say(an_event("order.first"))
            cursor = (await socket.receive_json())["cursor"]
        await world.say(an_event("order.second"), an_event("other"), an_event("order.third"))
        await world.publish("chat:1", "1", "2")
        ready, heard = await resumed(world, f"{query}&since={cursor}")
        assert ready["recovered"] is True
        assert [each["event"]["type"] for each in heard[:2]] == ["order.second", "order.third"]
        assert [(each["channel"], each["data"]) for each in heard[2:]] == [("chat:1", 1), ("chat:1", 2)]
        # Each carries a cursor of its own: from the first of them, the rest comes again.
        _, rest = await resumed(world, f"{query}&since={heard[0]['cursor']}")
        assert [{**each, "cursor": ""} for each in rest] == [{**each, "cursor": ""} for each in heard[1:]]
        assert (await resumed(world, f"{query}&since={heard[-1]['cursor']}"))[1] == []

    run(story)


def test_event_source_comes_back_with_its_last_id(run: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        async with world.sse("?events=*") as stream:
            await world.say(an_event("a"))
            last = (await an_sse_block(stream))["id"]
        await world.say(an_event("b"), an_event("c"))
        headers = {**LISTENER, "Last-Event-ID": last}
        async with world.http.get("/realtime/sse?events=*", headers=headers) as stream:
            assert '"recovered":true' in (await an_sse_block(stream))["data"]
            types = [(await an_sse_block(stream))["data"].split('"type":"')[1][0] for _ in range(2)]
            assert types == ["b", "c"]

    run(story)


@pytest.mark.parametrize("cursor", ["evt_01m8", "AAAA", "x" * 2000])
def test_what_is_no_cursor_recovers_nothing_and_says_so(run: Callable[[Story], None], cursor: str) -> None:
    async def story(world: World) -> None:
        await world.say(an_event("a"))
        ready, heard = await resumed(world, f"events=*&since={cursor}")
        assert (ready["recovered"], heard) == (False, [])

    run(story)


def test_a_channel_that_the_cursor_does_not_know_is_not_recovered(run: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        async with world.websocket("?channels=chat:1") as socket:
            await world.publish("chat:1", "1")
            cursor = (await socket.receive_json())["cursor"]
        await world.publish("chat:1", "2")
        ready, heard = await resumed(world, f"channels=chat:1,chat:2&since={cursor}")
        assert ready["recovered"] is False
        assert [each["data"] for each in heard] == [2]

    run(story)


def test_whoever_missed_very_much_gets_it_in_portions(
    run: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "MOST_RECOVERED", 10)

    async def story(world: World) -> None:
        async with world.websocket("?channels=chat:1") as socket:
            await world.publish("chat:1", "0")
            cursor = (await socket.receive_json())["cursor"]
        await world.publish("chat:1", *map(str, range(1, 26)))
        got, portions = [], 0
        while True:
            ready, heard = await resumed(world, f"channels=chat:1&since={cursor}")
            assert ready["recovered"] is True
            messages = [each for each in heard if each["type"] == "message"]
            got += [each["data"] for each in messages]
            portions += 1
            if heard[-1:] == messages[-1:]:
                break
            assert heard[-1] == {"type": "close", "code": 1013, "reason": "behind"}
            cursor = messages[-1]["cursor"]
        assert got == list(range(1, 26))
        assert portions == 3

    run(story)


def test_who_only_listened_comes_back_with_a_young_cursor(redis_url: str, database_url: str) -> None:
    """What was published and was not for them need not be looked through again."""

    async def story() -> None:
        async with a_world(redis_url, database_url, ping_seconds=0.05) as world:
            async with world.websocket("?events=mine") as socket, world.websocket() as other:
                await world.say(*[an_event("others") for _ in range(5)])
                for _ in range(5):
                    while (await other.receive_json())["type"] != "event":
                        pass
                await socket.receive_json()  # it may have been on its way
                cursor = (await socket.receive_json())["cursor"]
            positions = Cursors(world.feature.cursor_keys).read(cursor)
            assert positions is not None
            assert positions[EVENTS].offset == 5
            await world.say(an_event("mine"))
            query = f"?events=mine&since={cursor}"
            async with world.http.ws_connect(f"/realtime/websocket{query}", headers=LISTENER) as socket:
                ready, mine = await socket.receive_json(), await socket.receive_json()
            assert ready["recovered"] is True
            assert mine["event"]["type"] == "mine"

    asyncio.run(story())

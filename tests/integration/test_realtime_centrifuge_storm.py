"""Clients of Centrifugo's that come and go while much is said, and Redis loses some of it, hear all of it in order."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from ogel.runtime.realtime.publication import PUBLICATIONS
from tests.support.realtime import World, a_world

CLIENTS, PUBLICATIONS_EACH, CHANNELS = 12, 80, ("storm:1", "storm:2")


class Visitor:
    """What the clients' libraries do: they keep a position for each channel, and come back with it."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._places: dict[str, dict[str, Any]] = {}
        self.heard: dict[str, list[int]] = {each: [] for each in CHANNELS}

    async def stay(self) -> None:
        while not self._has_all():
            async with self._world.http.ws_connect("/connection/websocket") as socket:
                await socket.send_json({"id": 1, "connect": {"token": "key-of-a-listener"}})
                await socket.send_str("\n".join(self._subscribing(each) for each in CHANNELS))
                leaves_after = self._chance.randrange(1, 60)
                while leaves_after and not self._has_all():
                    message = json.loads(await socket.receive_str())
                    if channel := self._take(message):
                        await socket.send_str(self._subscribing(channel))
                    leaves_after -= 1

    def _subscribing(self, channel: str) -> str:
        place = self._places.get(channel)
        since = {"recover": True, **place} if place else {}
        return json.dumps({"id": 2 + CHANNELS.index(channel), "subscribe": {"channel": channel, **since}})

    def _take(self, message: dict[str, Any]) -> str | None:
        """Returns the channel that has to be subscribed to again."""
        assert "error" not in message, message
        if result := message.get("subscribe"):
            channel = CHANNELS[message["id"] - 2]
            assert result.get("recovered", True), message
            self._places[channel] = {"epoch": result["epoch"], "offset": result["offset"]}
            for each in result.get("publications", ()):
                self._hear(channel, each)
        elif push := message.get("push"):
            if "unsubscribe" in push:
                assert push["unsubscribe"]["code"] == 2500
                return str(push["channel"])
            self._hear(push["channel"], push["pub"])
        return None

    def _hear(self, channel: str, pub: dict[str, Any]) -> None:
        assert pub["data"] == pub["offset"]
        self._places[channel]["offset"] = pub["offset"]
        self.heard[channel].append(pub["offset"])

    def _has_all(self) -> bool:
        return all(each and each[-1] == PUBLICATIONS_EACH for each in self.heard.values())


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_missed_and_nothing_comes_twice(seed: int, redis_url: str, database_url: str) -> None:
    chance = random.Random(seed)

    async def told() -> None:
        async with a_world(redis_url, database_url) as world:
            publish = world.feature.publisher._sender._broadcast.publish

            async def forgetful(channel: str, payloads: Any) -> None:
                if channel != PUBLICATIONS or chance.random() < 0.8:
                    await publish(channel, payloads)

            world.feature.publisher._sender._broadcast.publish = forgetful  # type: ignore[method-assign]
            visitors = [Visitor(world, random.Random(f"{seed}.{number}")) for number in range(CLIENTS)]
            staying = [asyncio.create_task(each.stay()) for each in visitors]
            for number in range(1, PUBLICATIONS_EACH + 1):
                for channel in chance.sample(CHANNELS, len(CHANNELS)):
                    await world.publish(channel, str(number))
                await asyncio.sleep(chance.choice((0, 0, 0.01)))
            await asyncio.gather(*staying)
            for visitor in visitors:
                for heard in visitor.heard.values():
                    # Who came late had not asked for what was before.
                    assert heard == list(range(heard[0], PUBLICATIONS_EACH + 1))

    asyncio.run(told())

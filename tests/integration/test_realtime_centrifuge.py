"""The protocol of Centrifugo's clients at `/connection/websocket`, line by line: what is answered, and what ends it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt
import pytest

from ogel.features.realtime.centrifuge import commands, session
from ogel.features.realtime.channels import recovery
from ogel.features.realtime.channels.store import NewPublication
from ogel.features.realtime.namespaces.namespace import NamespaceRules
from ogel.kernel.principal import SYSTEM, Caller, Principal
from ogel.runtime.realtime.connections.session import Reason
from tests.support.realtime import PEOPLE, World, a_world

Story = Callable[[World], Awaitable[None]]
KEY, READER, ANN, BOB = "key-of-both", "key-of-a-listener", "ey.ann.x", "ey.bob.x"


@pytest.fixture
def run(redis_url: str, database_url: str) -> Callable[..., None]:
    def run(story: Story, **options: Any) -> None:
        async def told() -> None:
            async with a_world(redis_url, database_url, **options) as world:
                await story(world)

        asyncio.run(told())

    return run


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._id = 0
        self._said: list[dict[str, Any]] = []

    async def say(self, name: str, **asked: object) -> None:
        self._id += 1
        await self.socket.send_str(json.dumps({"id": self._id, name: asked}))

    async def ask(self, name: str, **asked: object) -> dict[str, Any]:
        """The result, or the error."""
        await self.say(name, **asked)
        reply = await self.next()
        assert reply["id"] == self._id
        return reply.get(name) if name in reply else reply["error"]

    async def code(self, name: str, **asked: object) -> int:
        return int((await self.ask(name, **asked))["code"])

    async def next(self) -> dict[str, Any]:
        while True:
            message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, message
            if message.data != "{}":
                return dict(json.loads(message.data))

    async def push(self) -> dict[str, Any]:
        return dict((await self.next())["push"])

    async def closed(self) -> tuple[int, str]:
        while (message := await self.socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        return message.data, str(message.extra)


@asynccontextmanager
async def client(world: World, token: str | None = KEY) -> AsyncIterator[Client]:
    """Connected, unless there is no token."""
    async with world.http.ws_connect("/connection/websocket") as socket:
        made = Client(socket)
        if token is not None:
            assert "client" in await made.ask("connect", token=token)
        yield made


async def rules(world: World, name: str, **said: Any) -> None:
    await world.feature.namespaces.put(Caller(SYSTEM, "req_1"), name, NamespaceRules(**said))


def test_subscribe_publish_and_hear(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await world.publish("chat:1", "0")
        async with client(world) as one, client(world, READER) as other:
            result = await one.ask("subscribe", channel="chat:1")
            assert result["offset"] == 1 and result["recoverable"] and result["epoch"]
            await other.ask("subscribe", channel="chat:1")
            await one.say("publish", channel="chat:1", data={"a\n": [1.50, None]})
            assert {"id": 3, "publish": {}} in (said := [await one.next(), await one.next()])
            push = {"channel": "chat:1", "pub": {"data": {"a\n": [1.5, None]}, "offset": 2}}
            assert {"push": push} in said
            assert await other.push() == push
            assert await other.code("publish", channel="chat:1", data=1) == 103
            assert await one.code("subscribe", channel="chat:1") == 105
            assert await one.ask("unsubscribe", channel="chat:1") == {}
            assert await one.ask("ping") == {}
            await one.ask("publish", channel="chat:1", data=2)
            assert (await other.push())["pub"]["offset"] == 3

    run(story)


def test_what_spans_lines_is_one_line(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        item = NewPublication("chat:1", '{\n"a":\n1}', tags={"kind": "x"})
        async with client(world) as one:
            await world.feature.publisher.publish([item])
            await one.ask("subscribe", channel="chat:1")
            await world.feature.publisher.publish([item])
            message = await one.socket.receive_str()
            assert "\n" not in message
            assert json.loads(message)["push"]["pub"] == {
                "data": {"a": 1},
                "offset": 2,
                "tags": {"kind": "x"},
            }

    run(story)


def test_who_comes_back_gets_what_was_missed(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await world.publish("chat:1", *map(str, range(5)))
        async with client(world) as one:
            epoch = (await one.ask("subscribe", channel="chat:1"))["epoch"]
        await world.publish("chat:1", "5")

        async def back(**at: object) -> dict[str, Any]:
            async with client(world) as one:
                return await one.ask("subscribe", channel="chat:1", recover=True, **at)

        found = await back(epoch=epoch, offset=3)
        assert (found["recovered"], found["was_recovering"], found["offset"]) == (True, True, 3)
        assert [(each["offset"], each["data"]) for each in found["publications"]] == [(4, 3), (5, 4), (6, 5)]
        assert (await back(epoch=epoch, offset=6))["publications"] == []
        for at in ({"epoch": "another", "offset": 3}, {"epoch": epoch, "offset": 9}):
            found = await back(**at)
            assert (found["recovered"], found["offset"], found["publications"]) == (False, 6, [])
        assert (await back(epoch="another", offset=3, flag=3))["code"] == 112

    run(story)


def test_who_missed_very_much_gets_it_in_portions(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "MOST_RECOVERED", 10)

    async def story(world: World) -> None:
        await rules(world, "chat", subscribe_roles=["users"])
        secret = NewPublication("chat:1", "0", roles=["user:bob"])
        await world.feature.publisher.publish([NewPublication("chat:1", "0"), *[secret] * 30])
        await world.publish("chat:1", *map(str, range(25)))
        async with client(world, ANN) as one:
            place, got, portions = (await one.ask("history", channel="chat:1"))["epoch"], [], 0
            offset = 1
            while True:
                portions += 1
                result = await one.ask(
                    "subscribe", channel="chat:1", recover=True, epoch=place, offset=offset
                )
                assert result["recovered"] is True
                offset = result["offset"]
                for each in result["publications"]:
                    got.append(each["data"])
                    offset = each["offset"]
                if offset == 56:
                    break
                assert (await one.push())["unsubscribe"] == {"code": 2500, "reason": "insufficient state"}
            assert (got, portions) == (list(range(25)), 6)

    run(story)


def test_a_first_publication_brings_the_epoch(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        async with client(world) as one:
            assert (await one.ask("subscribe", channel="new"))["epoch"] == ""
            await world.publish("new", "1")
            assert (await one.push())["unsubscribe"]["code"] == 2500
            found = await one.ask("subscribe", channel="new", recover=True)
            assert found["epoch"] and found["recovered"]
            assert [each["data"] for each in found["publications"]] == [1]
            await world.publish("new", "2")
            assert (await one.push())["pub"] == {"data": 2, "offset": 2}
            await rules(world, "brief", history_size=0)
            assert (await one.ask("subscribe", channel="brief:1"))["recoverable"] is False
            await world.publish("brief:1", "1")
            assert (await one.push())["pub"] == {"data": 1, "offset": 1}

    run(story)


def test_what_cannot_be_found_any_more_ends_the_subscription(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await world.publish("chat:1", "0")
        async with client(world) as one:
            await one.ask("subscribe", channel="chat:1")
            world.feature.subscriptions._lost("chat:1")
            assert (await one.push())["unsubscribe"]["code"] == 2500
            assert "epoch" in await one.ask("subscribe", channel="chat:1")

    run(story)


def test_people_hear_what_their_roles_let_them(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await rules(world, "chat", subscribe_roles=["users"], publish_roles=["team:red"])
        await world.publish("chat:1", "0")
        async with client(world, ANN) as ann, client(world, BOB) as bob, client(world) as key:
            for each in (ann, bob, key):
                await each.ask("subscribe", channel="chat:1")
            for roles in (["team:red"], ["user:bob"], ["users"]):
                item = NewPublication("chat:1", json.dumps(roles), roles=roles)
                await world.feature.publisher.publish([item])
            assert [(await ann.push())["pub"]["offset"] for _ in range(2)] == [2, 4]
            assert [(await bob.push())["pub"]["offset"] for _ in range(2)] == [3, 4]
            assert [(await key.push())["pub"]["offset"] for _ in range(3)] == [2, 3, 4]
            history = await ann.ask("history", channel="chat:1", limit=-1)
            assert [each["offset"] for each in history["publications"]] == [1, 2, 4]
            assert await bob.code("publish", channel="chat:1", data=1) == 103
            assert await bob.code("subscribe", channel="other") == 103
            assert await bob.code("subscribe", channel="chat:1#ann") == 103
            assert "epoch" in await bob.ask("subscribe", channel="other#ann,bob")
            await ann.say("publish", channel="chat:1", data=1)
            assert (await bob.push())["pub"]["data"] == 1

    run(story)


def test_rules_that_change_end_what_they_do_not_allow(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await rules(world, "chat", subscribe_roles=["users"])
        token, _ = world.feature.subscription_tokens.sign("chat:2", "bob", 60)
        async with client(world, ANN) as ann, client(world, BOB) as bob, client(world) as key:
            for each in (ann, bob, key):
                await each.ask("subscribe", channel="chat:1")
            await bob.ask("subscribe", channel="chat:2", token=token)
            await bob.ask("subscribe", channel="chat:1#bob")
            await rules(world, "chat", subscribe_roles=["team:red"])
            ended = {"channel": "chat:1", "unsubscribe": {"code": 2000, "reason": "permission denied"}}
            assert await bob.push() == ended
            assert await bob.code("subscribe", channel="chat:1") == 103
            for each, channel in ((bob, "chat:2"), (ann, "chat:1"), (key, "chat:1"), (bob, "chat:1#bob")):
                # Without an epoch, the first publication ends a subscription for another reason.
                await world.publish(channel, "1")
                assert (await each.push())["unsubscribe"]["code"] == 2500

    run(story)


def test_a_token_lets_into_its_channel_for_a_while(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.0)

    async def story(world: World) -> None:
        tokens = world.feature.subscription_tokens
        async with client(world, BOB) as bob:

            async def code(channel: str, user: str, seconds: int) -> int:
                token, _ = tokens.sign(channel, user, seconds)
                return await bob.code("subscribe", channel="a", token=token)

            assert (await code("b", "bob", 60), await code("a", "ann", 60)) == (103, 103)
            assert await code("a", "bob", -1) == 109
            assert await bob.code("subscribe", channel="a", token="x.y.z") == 103
            token, _ = tokens.sign("a", "bob", 1)
            assert (await bob.ask("subscribe", channel="a", token=token))["ttl"] == 1
            longer, _ = tokens.sign("a", "bob", 60)
            assert (await bob.ask("sub_refresh", channel="a", token=longer))["expires"] is True
            assert await bob.code("sub_refresh", channel="b", token=longer) == 103
            soon, _ = tokens.sign("a", "bob", 1)
            await bob.ask("sub_refresh", channel="a", token=soon)
            assert (await bob.push())["unsubscribe"]["code"] == 2501

    run(story)


def test_history(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await world.publish("chat:1", *map(str, range(1, 8)))
        async with client(world) as one:

            async def offsets(**asked: Any) -> list[int]:
                found = await one.ask("history", channel="chat:1", **asked)
                assert found["offset"] == 7
                return [each["offset"] for each in found["publications"]]

            epoch = (await one.ask("history", channel="chat:1"))["epoch"]
            assert await offsets() == []
            assert await offsets(limit=3) == [1, 2, 3]
            assert await offsets(limit=-1, since={"offset": 5, "epoch": epoch}) == [6, 7]
            assert await offsets(limit=3, reverse=True) == [7, 6, 5]
            assert await offsets(limit=3, reverse=True, since={"offset": 5, "epoch": epoch}) == [4, 3, 2]
            since = {"offset": 1, "epoch": "another"}
            assert await one.code("history", channel="chat:1", limit=1, since=since) == 112

    run(story)


def test_who_is_let_in(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        async with client(world, None) as one:
            assert await one.code("connect") == 101
        async with client(world, None) as one:
            await one.say("connect", token="nobody")
            assert await one.closed() == (3500, "invalid token")
        expired = jwt.encode({"sub": "ann", "exp": int(time.time()) - 60}, b"x" * 32, "HS256")
        async with client(world, None) as one:
            assert await one.code("connect", token=expired) == 109
        async with world.http.ws_connect(f"/connection/websocket?key={KEY}") as socket:
            assert "client" in await Client(socket).ask("connect")
        await rules(world, "lobby", subscribe_roles=["guests"])
        async with client(world, "") as guest:
            assert "epoch" in await guest.ask("subscribe", channel="lobby:1")
            assert await guest.code("subscribe", channel="chat:1") == 103

    run(story)


def test_a_connection_ends_with_its_key_and_with_its_token(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.0)
    expires_at = int(time.time()) + 3
    for name, seconds in (("ann", 0), ("late", 60)):
        claims = {**PEOPLE[ANN].claims, "exp": expires_at + seconds}
        monkeypatch.setitem(PEOPLE, f"ey.{name}.exp", Principal("user", "ann", claims=claims))

    async def story(world: World) -> None:
        async with client(world, None) as ann, client(world, None) as other, client(world) as key:
            connected = await ann.ask("connect", token="ey.ann.exp")
            assert connected["expires"] and 0 < connected["ttl"] <= 3
            await other.ask("connect", token="ey.ann.exp")
            assert await other.code("refresh", token=BOB) == 103
            assert (await other.ask("refresh", token="ey.late.exp"))["ttl"] > 30
            narrowed = Principal("user", "ann", claims={"roles": ["users/verified"], "exp": expires_at + 60})
            monkeypatch.setitem(PEOPLE, "ey.narrowed.x", narrowed)
            async with client(world, ANN) as member:
                await member.say("refresh", token="ey.narrowed.x")
                assert await member.closed() == (3005, "revoked")
            assert await ann.closed() == (3005, "connection expired")
            assert await other.ask("ping") == {}
            world.watch.end("ann", "revoked")
            assert await other.closed() == (3005, "revoked")
            world.watch.end("key_both", "expired")
            assert await key.closed() == (3005, "connection expired")
        assert not any(world.watch.watched.values())

    run(story)


NOT_OF_THE_PROTOCOL: list[str | bytes] = [
    "no json",
    "[]",
    "null",
    '{"id": "1", "ping": {}}',
    '{"id": -1, "ping": {}}',
    '{"id": 4294967296, "ping": {}}',
    '{"ping": {}}',
    '{"id": 2, "connect": {}}',
    '{"id": 2, "subscribe": []}',
    '{"id": 2, "subscribe": {"channel": 1}}',
    '{"id": 2, "subscribe": {"channel": "a", "offset": -1}}',
    '{"id": 2, "subscribe": {"channel": "a", "offset": 9007199254740992}}',
    '{"id": 2, "publish": {"channel": "a", "data": ' + "[" * 20_000 + "}}",
    '{"id": 2, "ping": {}} {"id": 3, "ping": {}}',
    b"\x02\x08\x01",
    "{}\n" * 600,
]


def test_what_is_not_of_the_protocol_ends_it(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        for frame in NOT_OF_THE_PROTOCOL:
            async with client(world) as one:
                if isinstance(frame, bytes):
                    await one.socket.send_bytes(frame)
                else:
                    await one.socket.send_str(frame)
                assert await one.closed() == (3501, "bad request"), frame[:100]

    run(story)


def test_errors_that_a_client_goes_on_from(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_CHANNELS", 2)

    async def story(world: World) -> None:
        async with client(world) as one:
            for name, asked, code in (
                ("rpc", {"method": "x"}, 104),
                ("nonsense", {}, 104),
                ("presence", {"channel": "a"}, 108),
                ("presence_stats", {"channel": "a"}, 108),
                ("subscribe", {"channel": ""}, 107),
                ("subscribe", {"channel": "$ogel:events"}, 107),
                ("subscribe", {"channel": "a" * 300}, 107),
                ("publish", {"channel": "a"}, 107),
                ("publish", {"channel": "$a", "data": 1}, 107),
                ("publish", {"channel": "a", "data": "x" * 2000}, 106),
                ("history", {"channel": "a\n"}, 107),
                ("sub_refresh", {"channel": "a"}, 103),
            ):
                assert await one.code(name, **asked) == code, (name, asked)
            await one.socket.send_str('{}\n{"send": {"data": 1}}\n\n{"id": 90, "ping": {}, "x": null}')
            assert await one.next() == {"id": 90, "ping": {}}
            for channel in ("a", "b"):
                await one.ask("subscribe", channel=channel)
            assert await one.code("subscribe", channel="c") == 106

    run(story, publication_bytes=1024)


def test_a_database_that_is_away_is_a_temporary_error(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        async with client(world) as one:

            async def away(channel: str) -> None:
                raise TimeoutError

            monkeypatch.setattr(world.feature.namespaces, "of", away)
            assert await one.ask("subscribe", channel="a") == {
                "code": 100,
                "message": "internal server error",
                "temporary": True,
            }

    run(story)


def test_too_much_is_answered_before_it_ends(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        async with client(world) as one:
            for _ in range(12):
                await one.say("ping")
            assert {(await one.next()).get("error", {}).get("code") for _ in range(12)} == {None, 111}
            for _ in range(40):
                await one.say("ping")
            assert await one.closed() == (3013, "too many requests")
        async with client(world) as one:
            lines = [json.dumps({"id": id, "publish": {"channel": "a", "data": id}}) for id in range(2, 400)]
            await one.socket.send_str("\n".join(lines))
            replies = [await one.next() for _ in lines]
            refused = [each for each in replies if "error" in each]
            assert {each["error"]["code"] for each in refused} == {111}
            assert len(lines) - len(refused) == session.MOST_WAITING

    run(story, messages_per_second=4.0)


def test_who_says_nothing_is_closed(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "STALE_SECONDS", 0.2)

    async def story(world: World) -> None:
        async with client(world, None) as silent, client(world, None) as early:
            assert await silent.closed() == (3502, "stale")
            await early.say("subscribe", channel="a")
        async with client(world, None) as early:
            await early.say("subscribe", channel="a")
            assert await early.closed() == (3501, "bad request")

    run(story)


def test_pings_come_to_whoever_hears_something_too_and_want_an_answer(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        await world.publish("a", "0")
        async with client(world) as mute, client(world) as one:
            await one.ask("subscribe", channel="a")
            pings = 0
            while pings < 3:
                await world.publish("a", "1")
                if await one.socket.receive_str() == "{}":
                    pings += 1
                    await one.socket.send_str("{}")
            assert await mute.closed() == (3012, "no pong")

    run(story, ping_seconds=1.0)


def test_why_a_connection_ends(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        for reason, code in ((Reason.SLOW, 3008), (Reason.FAILED, 3004), (Reason.FLOODED, 3013)):
            async with client(world) as one:
                [connection] = world.feature.connections._all
                connection.end(reason)
                assert (await one.closed())[0] == code
        async with client(world) as one:
            world.stop.set()
            assert await one.closed() == (3001, "shutdown")

    run(story)


def test_one_person_has_so_many_connections(run: Callable[..., None]) -> None:
    async def story(world: World) -> None:
        async with client(world, ANN), client(world, BOB), client(world, None) as second:
            await second.say("connect", token=ANN)
            assert await second.closed() == (3504, "connection limit")
        async with client(world, ANN):
            pass

    run(story, connections_per_user=1)

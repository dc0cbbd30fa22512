"""`/api/channels`: what is published, looked at, refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.world import World

ENVIRONMENT = {"OGEL_RATE_PUBLISH": "off", "OGEL_REALTIME_PUBLICATION_BYTES": "2000"}


def publish(api: World, channel: str, data: Any = 1, **more: Any) -> Any:
    return api.ok("POST", f"/api/channels/{quote(channel, safe='')}/publish", {"data": data, **more})


def offsets(api: World, channel: str, query: str = "") -> list[int]:
    history = api.ok("GET", f"/api/channels/{quote(channel, safe='')}/history?{query}")
    return [each["offset"] for each in history["items"]]


def test_a_channel_counts_what_is_published_and_keeps_it(api: World) -> None:
    first, second = publish(api, "chat:1", {"text": "é"}), publish(api, "chat:1", [2.0], tags={"by": "a"})
    assert (first["offset"], second["offset"]) == (1, 2)
    assert first["epoch"] == second["epoch"]
    history = api.ok("GET", "/api/channels/chat:1/history")
    assert (history["epoch"], history["offset"]) == (first["epoch"], 2)
    newest, oldest = history["items"]
    assert (newest["data"], newest["tags"], oldest["data"]) == ([2.0], {"by": "a"}, {"text": "é"})
    for _ in range(3):
        publish(api, "chat:1")
    assert offsets(api, "chat:1", "limit=2") == [5, 4]
    assert offsets(api, "chat:1", "limit=2&before=4") == [3, 2]
    assert offsets(api, "chat:1", "limit=2&since=2") == [3, 4]
    assert offsets(api, "never") == []
    listed = api.ok("GET", "/api/channels?prefix=chat:")
    assert [(each["name"], each["top"]) for each in listed["items"]] == [("chat:1", 5)]


def test_many_are_published_or_none(api: World) -> None:
    batch = [{"channel": "a", "data": 1}, {"channel": "b", "data": 2}, {"channel": "a", "data": 3}]
    assert [each["offset"] for each in api.ok("POST", "/api/channels/publish", batch)] == [1, 1, 2]
    wrong = api("POST", "/api/channels/publish", [*batch, {"channel": "a", "data": "x" * 2000}])
    assert (wrong.status, wrong.json["errors"][0]["path"]) == (413, "body[3].data")
    assert offsets(api, "a") == [2, 1]


def test_whoever_publishes_at_once_shares_statements_and_gets_their_own_answers(api: World) -> None:
    with ThreadPoolExecutor(16) as threads:
        places = list(threads.map(lambda n: publish(api, f"at-once:{n % 4}"), range(80)))
    by_channel = [sorted(place["offset"] for place in places[n::4]) for n in range(4)]
    assert by_channel == [list(range(1, 21))] * 4


def test_a_repeated_key_gets_the_first_place(api: World) -> None:
    places = [publish(api, "once", n, idempotency_key="same") for n in range(3)]
    assert places == [places[0]] * 3
    assert offsets(api, "once") == [1]
    assert publish(api, "other", 1, idempotency_key="same")["offset"] == 1


@pytest.mark.parametrize(
    "name", ["日本:部屋", "a b", "a/b", "a%2Fb", "👍🏽", "a:b:c", "x" * 255, "'; DROP TABLE x"]
)
def test_a_name_is_any_line(api: World, name: str) -> None:
    publish(api, name, name)
    assert api.ok("GET", f"/api/channels/{quote(name, safe='')}/history")["items"][0]["data"] == name


@pytest.mark.parametrize("name", ["$events", " a", "a\nb", "a\x00", "x" * 256, "\u2028"])
def test_what_is_no_name_is_refused(api: World, name: str) -> None:
    for answer in (
        api("POST", f"/api/channels/{quote(name, safe='')}/publish", {"data": 1}),
        api("GET", f"/api/channels/{quote(name, safe='')}/history"),
        api("POST", "/api/channels/publish", [{"channel": name, "data": 1}]),
    ):
        assert answer.status in (404, 422), answer.json


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body"),
        ({"data": 1, "more": 1}, "body"),
        ({"data": 1, "roles": []}, "body.roles"),
        ({"data": 1, "roles": ["nobody"]}, "body.roles"),
        ({"data": 1, "tags": {"a": 1}}, "body.tags"),
        ({"data": 1, "tags": {"a": "\x00"}}, "body.tags"),
        ({"data": 1, "idempotency_key": ""}, "body.idempotency_key"),
        ({"data": 1, "idempotency_key": "a\nb"}, "body.idempotency_key"),
    ],
)
def test_what_is_wrong_is_named(api: World, body: Any, path: str) -> None:
    answer = api("POST", "/api/channels/wrong/publish", body)
    assert answer.status == 422, answer.json
    assert answer.json["errors"][0]["path"].startswith(path)
    assert offsets(api, "wrong") == []


def test_a_key_needs_the_scope(api: World) -> None:
    reader = api.ok("POST", "/api/keys", {"name": "r", "scopes": ["realtime:read"]})["key"]
    assert api("POST", "/api/channels/a/publish", {"data": 1}, key=reader).status == 403
    assert api("GET", "/api/channels/a/history", key=reader).status == 200
    assert api("GET", "/api/channels", key="").status == 401


def test_what_is_too_old_or_too_many_is_kept_no_longer(api: World) -> None:
    async def keep() -> None:
        async with api.platform.core.database.autocommit() as tx:
            await tx.execute(b"INSERT INTO realtime_namespaces VALUES ('few', 2, 60), ('brief', 10, 0)")

    api.run(keep())
    for _ in range(4):
        publish(api, "few:x"), publish(api, "brief:x")
    assert offsets(api, "few:x") == [4, 3]
    assert offsets(api, "brief:x") == []
    assert api.ok("GET", "/api/channels/brief:x/history")["offset"] == 4


def test_a_namespace_says_what_its_channels_keep(api: World) -> None:
    rules = {"history_size": 1, "subscribe_roles": ["users", "team:a/owner"]}
    set_ = api.ok("PUT", "/api/realtime/namespaces/one", rules)
    assert (set_["history_size"], set_["subscribe_roles"], set_["has_presence"]) == (
        1,
        rules["subscribe_roles"],
        True,
    )
    publish(api, "one:x"), publish(api, "one:x")
    assert offsets(api, "one:x") == [2]
    names = [each["name"] for each in api.ok("GET", "/api/realtime/namespaces")["items"]]
    assert names[0] == "default" and "one" in names
    api.ok("DELETE", "/api/realtime/namespaces/one")
    assert offsets(api, "one:x") == [2, 1]
    assert api("DELETE", "/api/realtime/namespaces/one").status == 404
    api.ok("PUT", "/api/realtime/namespaces/default", {"history_size": 7})
    api.ok("DELETE", "/api/realtime/namespaces/default")
    assert api.ok("GET", "/api/realtime/namespaces")["items"][0]["history_size"] == 1000


@pytest.mark.parametrize(
    ("name", "rules", "path"),
    [
        ("a:b", {}, "path.name"),
        ("x" * 65, {}, "path.name"),
        ("a", {"history_size": -1}, "body.history_size"),
        ("a", {"history_seconds": 10**9}, "body.history_seconds"),
        ("a", {"publish_roles": ["who"]}, "body.publish_roles"),
        ("a", {"more": 1}, "body"),
    ],
)
def test_wrong_rules_are_named(api: World, name: str, rules: dict[str, Any], path: str) -> None:
    answer = api("PUT", f"/api/realtime/namespaces/{name}", rules)
    assert answer.status == 422, answer.json
    assert answer.json["errors"][0]["path"].startswith(path)

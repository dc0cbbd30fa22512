"""Publishable keys: everybody may know them, so they open nothing, and say nothing of who asks."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.principal import ANON, SERVICE, Caller, Principal
from ogel.platform.platform import Platform
from tests.support.contract import assert_problem
from tests.support.world import World


def made(api: World, **body: Any) -> Any:
    return api.ok("POST", "/api/keys", {"name": "web", "kind": "publishable", **body})


def principal(api: World, key: str) -> Principal | None:
    async def asked() -> Principal | None:
        return await api.platform.features["keys"].offers.authenticate(key, Caller(ANYONE, "req_1"))

    return asyncio.run_coroutine_threadsafe(asked(), api._loop).result(10)


ANYONE = Principal("anonymous", "anonymous")


def test_it_is_told_by_its_first_letters_and_shown_once(api: World) -> None:
    key = made(api)
    assert re.fullmatch(r"ogel_publishable_[A-Za-z0-9_-]{43}", key["key"])
    assert key["key"].startswith(key["hint"]) and len(key["hint"]) == len("ogel_publishable_") + 4
    shown = api.ok("GET", f"/api/keys/{key['id']}")
    assert (shown["kind"], shown["scopes"], "key" in shown) == ("publishable", [], False)
    [record] = api.ok("GET", f"/api/audit-logs?resource_id={key['id']}&action=key.create")["items"]
    assert record["metadata"]["kind"] == "publishable"
    secret = api.ok("POST", "/api/keys", {"name": "ci", "scopes": ["events:read"]})
    assert secret["kind"] == "secret" and not secret["key"].startswith("ogel_publishable_")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "publishable", "scopes": ["events:read"]},
        {"kind": "publishable", "scopes": []},
        {"kind": "secret"},
        {"kind": "secret", "scopes": []},
        {"scopes": None},
        {"kind": "anon"},
        {"kind": None},
        {"kind": "Publishable"},
    ],
)
def test_what_is_neither_kind_is_refused(api: World, body: dict[str, Any]) -> None:
    path = "body.kind" if body.get("kind", "secret") not in ("secret", "publishable") else "body.scopes"
    assert_problem(api("POST", "/api/keys", {"name": "a test", **body}), 422, path)


def test_it_opens_nothing_of_the_own_api(api: World) -> None:
    key = made(api)["key"]
    assert api("GET", "/api/me", key=key).json["scopes"] == []
    for method, path in (("GET", "/api/events"), ("POST", "/api/keys"), ("GET", "/api/webhooks")):
        assert_problem(api(method, path, key=key), 403)


def test_its_rotation_is_of_its_kind(api: World) -> None:
    old = made(api)
    new = api.ok("POST", f"/api/keys/{old['id']}/rotate", {"overlap_seconds": 0})
    assert (new["kind"], new["key"].startswith("ogel_publishable_")) == ("publishable", True)
    assert api("GET", "/api/me", key=old["key"]).status == 401
    assert api("GET", "/api/me", key=new["key"]).status == 200
    assert api("DELETE", f"/api/keys/{new['id']}").status == 204
    assert api("GET", "/api/me", key=new["key"]).status == 401


def test_a_key_says_as_whom_rows_are_read(api: World) -> None:
    assert principal(api, made(api)["key"]).role == ANON  # type: ignore[union-attr]
    for scopes, role in (
        (["events:read"], None),
        (["accounts:read"], None),
        (["accounts:write"], SERVICE),
        (["accounts:*"], SERVICE),
        (["*"], SERVICE),
    ):
        key = api.ok("POST", "/api/keys", {"name": "a test", "scopes": scopes})["key"]
        for _ in range(2):  # the second time from memory
            assert principal(api, key).role == role  # type: ignore[union-attr]


def test_who_may_make_keys_may_make_and_end_it_bound_as_themselves(api: World) -> None:
    tomorrow = rfc3339(utc_now() + timedelta(days=1))
    maker = api.ok("POST", "/api/keys", {"name": "m", "scopes": ["keys:write"], "expires_at": tomorrow})
    key = api("POST", "/api/keys", {"name": "web", "kind": "publishable"}, key=maker["key"]).json
    assert (key["expires_at"], key["made_by"]) == (tomorrow, maker["id"])
    assert api("DELETE", f"/api/keys/{key['id']}", key=maker["key"]).status == 204


def test_who_shares_one_is_counted_by_address(api: World) -> None:
    """Or one visitor of a page would use up what all of them may ask for."""
    platform: Platform = api.platform
    anyone = principal(api, made(api)["key"])
    secret = principal(api, api.ok("POST", "/api/keys", {"name": "s", "scopes": ["*"]})["key"])
    assert anyone is not None and secret is not None

    async def story() -> None:
        limiter = platform.core.limiter
        for who, client in ((anyone, "203.0.113.7"), (anyone, "203.0.113.8"), (secret, "203.0.113.9")):
            await limiter.admit(who, client, "sign_in")

    asyncio.run_coroutine_threadsafe(story(), api._loop).result(10)
    counted = {whose for rate, whose in platform.core.limiter._budgets._known if rate == "sign_in"}
    assert counted >= {"203.0.113.7", "203.0.113.8", secret.id}
    assert anyone.id not in counted

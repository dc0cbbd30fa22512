"""Users by /api/users and `ogel users`, as operators have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from tests.integration.api.test_factors import verified
from tests.support.cli import Finished, ogel_here
from tests.support.factors import somebody
from tests.support.process import SECRET
from tests.support.world import World

USERS = "/api/users"
Run = Callable[..., Finished]


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    def run(*typed: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here(*typed, **suite_servers, OGEL_SECRET=SECRET)

    return run


def address() -> str:
    return f"{uuid4().hex}@example.com"


def test_a_user_from_beginning_to_end(api: World) -> None:
    email = address()
    made = api.ok("POST", USERS, {"email": email.upper(), "email_confirmed": True, "labels": ["beta"]})
    one = f"{USERS}/{made['id']}"
    assert (made["email"], made["labels"], made["role"]) == (email, ["beta"], "authenticated")
    assert made["email_confirmed_at"] and [each["provider"] for each in made["identities"]] == ["email"]
    assert api("POST", USERS, {"email": email}).status == 422
    changed = api.ok("PATCH", one, {"labels": [], "user_metadata": {"name": "שלום"}})
    assert (changed["labels"], changed["user_metadata"]["name"]) == ([], "שלום")
    assert api.ok("GET", one)["user_metadata"]["name"] == "שלום"
    assert api.ok("GET", f"{USERS}?email={email}")["items"][0]["id"] == made["id"]
    assert "password" not in str(api.ok("GET", f"{USERS}?filter={email}"))
    assert api("DELETE", one).status == 204
    assert [api(method, one, {}).status for method in ("GET", "PATCH", "DELETE")] == [404, 404, 404]


def test_lists_go_on_after_each_page(api: World) -> None:
    word = uuid4().hex
    emails = [api.ok("POST", USERS, {"email": f"{word}.{n}@example.com"})["email"] for n in range(3)]
    first = api.ok("GET", f"{USERS}?filter={word}&limit=2")
    rest = api.ok("GET", f"{USERS}?filter={word}&limit=2&after={first['next']}")
    assert [each["email"] for each in first["items"] + rest["items"]] == emails[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "zzz"}, {"email": "a@b.example", "labels": ["a/b"]}, {"email": "a@b.example", "x": 1},
     {"email": "a@b.example", "banned_until": "2026-01-01"}, {"email": "a@b.example", "password": ""}],
)  # fmt: skip
def test_what_is_no_user(api: World, body: Any) -> None:
    assert api("POST", USERS, body).status in (400, 422)


def test_a_ban_ends_with_null(api: World) -> None:
    ada = somebody(api)
    one = f"{USERS}/{ada.id}"
    api.ok("PATCH", one, {"banned_until": "2099-01-01T00:00:00Z"})
    assert ada.refused("GET", "/user")[0] == 403
    api.ok("PATCH", one, {"labels": ["x"]})
    assert ada.refused("GET", "/user")[0] == 403
    api.ok("PATCH", one, {"banned_until": None})
    assert ada("GET", "/user").status == 200


def test_commands(run: Run, api: World) -> None:
    email = address()
    made = run("users", "create", email, "--confirmed", "--label", "beta")
    assert made.code == 0, made
    id = made.out.strip()
    assert json.loads(run("users", "show", email).out)["labels"] == ["beta"]
    assert email in run("users", "list", "--filter", email[:12]).out
    assert run("users", "update", id, "--no-labels").code == 0
    assert run("users", "ban", email, "--days", "1").code == 0
    assert "banned" in run("users", "list").out
    assert run("users", "unban", id).code == 0
    assert run("users", "update", id).code == 2
    assert run("users", "delete", email).code == 0
    gone = run("users", "show", email)
    assert gone.code != 0 and email in gone.err
    assert "no users" in run("users", "list", "--filter", email).out


def test_a_lost_factor_is_removed(run: Run, api: World) -> None:
    ada = somebody(api)
    id, _ = verified(ada, friendly_name="phone")
    email = ada.user.email or ""
    assert "phone" in run("users", "factors", email).out
    assert "no factors" in run("users", "factors", email, "--remove", id).out
    assert api("DELETE", f"{USERS}/{ada.id}/factors/{id}").status == 404
    assert run("users", "factors", str(uuid4())).code != 0

"""Users by /auth/v1/admin: found, made, changed, banned, deleted, by whoever may."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from ogel.kernel.clock import utc_now
from tests.integration.api.test_factors import verified
from tests.support.factors import AUTH, by_id, somebody
from tests.support.process import Response
from tests.support.world import World

ADMIN = f"{AUTH}/admin/users"


def made(world: World, **body: Any) -> Any:
    return world.ok("POST", ADMIN, {"email": address(), "email_confirm": True, **body})


def address() -> str:
    return f"{uuid4().hex}@example.com"


def refusal(answer: Response) -> tuple[int, str]:
    return answer.status, answer.json["error_code"]


def test_a_user_is_made_as_wanted(api: World) -> None:
    email = f"{uuid4().hex}@Example.COM"
    user = made(
        api,
        email=email,
        password="Correct-horse-1",
        role="editor",
        user_metadata={"name": "Zoë 🦊 שלום", "gone": None},
        app_metadata={"plan": "pro"},
    )
    assert (user["email"], user["role"]) == (email.lower(), "editor")
    assert user["user_metadata"] == {"name": "Zoë 🦊 שלום", "email_verified": True}
    assert user["app_metadata"] == {"plan": "pro", "provider": "email", "providers": ["email"]}
    assert refusal(api("POST", ADMIN, {"email": email})) == (422, "email_exists")
    assert "password" not in str(api("GET", f"{ADMIN}/{user['id']}").json)


def test_a_user_may_have_a_phone(api: World) -> None:
    phone = str(uuid4().int % 10**9 + 15 * 10**9)
    user = made(api, email=None, phone=f"+{phone}", phone_confirm=True)
    assert (user["phone"], user["email"]) == (phone, "")
    assert [each["provider"] for each in user["identities"]] == ["phone"]
    taken = api("POST", ADMIN, {"email": address(), "phone": phone})
    assert refusal(taken) == (422, "phone_exists")
    both = made(api, phone=str(int(phone) + 1))
    assert both["app_metadata"]["providers"] == ["email", "phone"]
    assert refusal(api("PUT", f"{ADMIN}/{both['id']}", {"phone": phone})) == (422, "phone_exists")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "validation_failed")),
        ({"email": "zzz"}, (400, "validation_failed")),
        ({"email": "a@example.com", "id": "zzz"}, (400, "validation_failed")),
        (
            {"email": "a@example.com", "id": "00000000-0000-0000-0000-000000000000"},
            (400, "validation_failed"),
        ),
        ({"email": "a@example.com", "ban_duration": "forever"}, (400, "validation_failed")),
        ({"email": "a@example.com", "ban_duration": "9999999999h"}, (400, "validation_failed")),
        ({"email": "a@example.com", "password_hash": "zzz"}, (400, "validation_failed")),
        ({"email": "a@example.com", "password": "a", "password_hash": "b"}, (400, "validation_failed")),
        ({"email": "a@example.com", "password": "x" * 1025}, (400, "validation_failed")),
        ({"email": "a@example.com", "role": "x" * 101}, (400, "validation_failed")),
        ({"email": "a@example.com", "user_metadata": []}, (400, "bad_json")),
        ({"email": "a@example.com", "user_metadata": {"a": "\0"}}, (422, "validation_failed")),
        ({"phone": "abc"}, (400, "validation_failed")),
        ({"phone": "0" * 10}, (400, "validation_failed")),
        ({"phone": "١٢٣٤٥٦٧"}, (400, "validation_failed")),
    ],
)
def test_what_cannot_be_made(api: World, body: Any, expected: tuple[int, str]) -> None:
    assert refusal(api("POST", ADMIN, body)) == expected


def test_metadata_change_by_name(api: World) -> None:
    user = made(api, user_metadata={"name": "Ada", "x": 1}, app_metadata={"plan": "pro"})
    changes = {"user_metadata": {"name": "Ada L.", "x": None}, "app_metadata": {"plan": None, "seat": 1}}
    changed = api.ok("PUT", f"{ADMIN}/{user['id']}", changes)
    assert changed["user_metadata"] == {"name": "Ada L.", "email_verified": True}
    assert changed["app_metadata"] == {"seat": 1, "provider": "email", "providers": ["email"]}


def test_an_address_changes_at_once_and_is_nobody_elses(api: World) -> None:
    user, other, new = made(api), made(api), address()
    changed = api.ok("PUT", f"{ADMIN}/{user['id']}", {"email": new, "email_confirm": True})
    assert changed["email"] == new
    [identity] = changed["identities"]
    assert (identity["email"], identity["identity_data"]["email_verified"]) == (new, True)
    taken = api("PUT", f"{ADMIN}/{user['id']}", {"email": other["email"]})
    assert refusal(taken) == (422, "email_exists")


def test_a_new_password_ends_sessions_and_must_be_good(api: World) -> None:
    ada = by_id(api, made(api)["id"])
    weak = api("PUT", f"{ADMIN}/{ada.id}", {"password": "1"})
    assert refusal(weak) == (422, "weak_password")
    api.ok("PUT", f"{ADMIN}/{ada.id}", {"password": "Battery-staple-2"})
    assert ada.refused("GET", "/user") == (403, "session_not_found")


def test_what_is_on_its_way_to_an_old_address_lets_nobody_in(api: World) -> None:
    user = made(api)
    link = api.ok("POST", f"{AUTH}/admin/generate_link", {"type": "recovery", "email": user["email"]})
    api.ok("PUT", f"{ADMIN}/{user['id']}", {"email": address()})
    proof = {"type": "recovery", "token_hash": link["hashed_token"]}
    assert refusal(api("POST", f"{AUTH}/verify", proof)) == (403, "otp_expired")


def test_the_address_that_it_has_changes_nothing(api: World) -> None:
    user = made(api)
    new = address()
    api.ok("PUT", f"{ADMIN}/{user['id']}", {"email": new, "email_confirm": True})
    again = api.ok("PUT", f"{ADMIN}/{user['id']}", {"email": new.upper()})
    assert again["identities"][0]["identity_data"]["email_verified"] is True


def test_a_ban_is_known_at_once_and_ends(api: World) -> None:
    ada = by_id(api, made(api)["id"])
    banned = api.ok("PUT", f"{ADMIN}/{ada.id}", {"ban_duration": "1h30m"})
    until = datetime.fromisoformat(banned["banned_until"]) - utc_now()
    assert timedelta(minutes=89) < until <= timedelta(minutes=90)
    assert ada.refused("GET", "/user") == (403, "user_banned")
    unbanned = api.ok("PUT", f"{ADMIN}/{ada.id}", {"ban_duration": "none"})
    assert "banned_until" not in unbanned
    assert ada("GET", "/user").status == 200


def test_deleting_softly_forgets_who_it_was(api: World) -> None:
    ada = by_id(api, made(api, user_metadata={"name": "Ada"})["id"])
    ada.ok("POST", "/factors", {"factor_type": "totp", "friendly_name": "Ada's phone"})
    for _ in range(2):
        assert api.ok("DELETE", f"{ADMIN}/{ada.id}", {"should_soft_delete": True}) == {}
    left = api.ok("GET", f"{ADMIN}/{ada.id}")
    assert "Ada" not in str(left) and "@example.com" not in str(left)
    assert ada.refused("GET", "/user")[0] == 403
    made(api, email=ada.user.email)
    assert api.ok("DELETE", f"{ADMIN}/{ada.id}") == {}
    assert refusal(api("DELETE", f"{ADMIN}/{ada.id}")) == (404, "user_not_found")
    assert ada.refused("GET", "/user") == (403, "user_not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_users_that_there_are_not(api: World, method: str) -> None:
    body = None if method == "GET" else {}
    assert refusal(api(method, f"{ADMIN}/{uuid4()}", body)) == (404, "user_not_found")
    assert refusal(api(method, f"{ADMIN}/zzz", body)) == (404, "validation_failed")


def test_lists_go_page_by_page(api: World) -> None:
    word = uuid4().hex
    emails = [made(api, email=f"{word}.{number}@example.com")["email"] for number in range(5)]
    answer = api("GET", f"{ADMIN}?filter={word}&page=1&per_page=2")
    assert [each["email"] for each in answer.json["users"]] == emails[:2:-1]
    assert answer.headers["x-total-count"] == "5"
    assert links(answer) == {"next": 2, "last": 3}
    assert links(api("GET", f"{ADMIN}?filter={word}&page=3&per_page=2")) == {"last": 3}
    assert api.ok("GET", f"{ADMIN}?filter={word}&page=9&per_page=2")["users"] == []
    first = api.ok("GET", f"{ADMIN}?filter={word.upper()}&sort=created_at+asc&per_page=1")["users"]
    assert first[0]["email"] == emails[0] and first[0]["identities"] is None
    everything = list(by_cursor(api, f"{ADMIN}?filter={word}&limit=2"))
    assert everything == emails[::-1]


def links(answer: Response) -> dict[str, int]:
    found = {}
    for link in answer.headers["link"].split(", "):
        url, rel = link.split("; rel=")
        found[rel.strip('"')] = int(parse_qs(urlsplit(url.strip("<>")).query)["page"][0])
    return found


def by_cursor(api: World, path: str) -> Iterator[str]:
    cursor = ""
    while True:
        page = api.ok("GET", path + cursor)
        yield from (each["email"] for each in page["users"])
        if not page["pagination"]["has_more"]:
            return
        cursor = f"&cursor={page['pagination']['next_cursor']}"


@pytest.mark.parametrize(
    "query",
    ["page=zzz", "page=-1", f"page={'9' * 30}", "per_page=x", "sort=email+asc", "sort=created_at+up", "limit=0",
     "cursor=zzz", "limit=%D9%A3"],
)  # fmt: skip
def test_lists_that_cannot_be(api: World, query: str) -> None:
    assert refusal(api("GET", f"{ADMIN}?{query}")) == (400, "validation_failed")


@pytest.mark.parametrize(
    "query", ["page=&per_page=", "page=0", "filter=%25_%5C", "page=999999999&per_page=999999999"]
)
def test_lists_that_can(api: World, query: str) -> None:
    assert "users" in api.ok("GET", f"{ADMIN}?{query}")


def test_who_may(api: World) -> None:
    def key(*scopes: str) -> str:
        made_key: str = api.ok("POST", "/api/keys", {"name": "k", "scopes": list(scopes)})["key"]
        return made_key

    reads, writes, other = key("accounts:read"), key("accounts:*"), key("events:read")
    person = somebody(api)
    body = {"email": address()}
    assert api("GET", ADMIN, key=reads).status == 200
    assert refusal(api("POST", ADMIN, body, key=reads)) == (403, "not_admin")
    assert api("POST", ADMIN, body, key=writes).status == 200
    assert refusal(api("GET", ADMIN, key=other)) == (403, "not_admin")
    assert refusal(api("GET", ADMIN, key=person.token)) == (403, "not_admin")
    assert refusal(api("GET", ADMIN, key="")) == (401, "no_authorization")
    # A key for accounts does not make one for everything out of a user.
    reserved = {"email": address(), "role": "service_role"}
    assert refusal(api("POST", ADMIN, reserved, key=writes)) == (403, "not_admin")
    assert api("POST", ADMIN, reserved).status == 200


def test_operators_help_who_has_lost_a_phone(api: World) -> None:
    ada = somebody(api)
    id, _ = verified(ada)
    codes = ada.ok("POST", "/factors/recovery-codes")["id"]
    factors = f"{ADMIN}/{ada.id}/factors"
    assert {each["id"] for each in api.ok("GET", factors)} == {id, codes}
    assert api.ok("PUT", f"{factors}/{id}", {"friendly_name": "old"})["friendly_name"] == "old"
    assert api.ok("PUT", f"{factors}/{id}", {"factor_type": "x"})["friendly_name"] == "old"
    taken = api("PUT", f"{factors}/{id}", {"friendly_name": "Recovery codes"})
    assert refusal(taken) == (422, "mfa_factor_name_conflict")
    assert api.ok("DELETE", f"{factors}/{id}")["id"] == id
    assert api.ok("GET", factors) == []
    assert refusal(api("DELETE", f"{factors}/{id}")) == (404, "mfa_factor_not_found")
    assert refusal(api("GET", f"{ADMIN}/{uuid4()}/factors")) == (404, "user_not_found")
    ada.ok("POST", "/factors", {"factor_type": "totp"})


def test_the_log_of_people(api: World) -> None:
    ada = somebody(api)
    ada.ok("POST", "/logout")
    log = f"{AUTH}/admin/audit"
    answer = api("GET", f"{log}?query=author:{ada.user.email}&per_page=2")
    assert [each["payload"]["action"] for each in answer.json] == ["logout", "login"]
    assert answer.headers["x-total-count"] == "3" and links(answer) == {"next": 2, "last": 2}
    first = answer.json[0]
    assert first["payload"]["actor_id"] == ada.id and first["payload"]["actor_username"] == ada.user.email
    api.ok("DELETE", f"{ADMIN}/{ada.id}")
    # Records outlive the user; the address does not.
    [deleted] = [
        each
        for each in api.ok("GET", f"{log}?query=action:user_deleted")
        if each["payload"]["actor_id"] == ada.id
    ]
    assert deleted["payload"]["actor_username"] == ""
    assert {each["payload"]["log_type"] for each in api.ok("GET", f"{log}?query=type:team")} == {"team"}
    for query in ("zzz", "zzz:a"):
        assert refusal(api("GET", f"{log}?query={query}")) == (400, "validation_failed")
    assert api.ok("GET", f"{log}?query=action:nothing") == []


def test_of_many_who_make_a_user_at_once_one_does(api: World) -> None:
    body = {"email": address()}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api("POST", ADMIN, body).status, range(16)))
    assert sorted(answers) == [200, *[422] * 15]

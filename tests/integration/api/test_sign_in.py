"""Signing up and in with a password, where addresses are believed: sessions, refusals that tell nothing, limits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import bcrypt
import psycopg
import pytest

from tests.support.process import Response
from tests.support.world import World

ENVIRONMENT = {
    "OGEL_AUTH_AUTOCONFIRM": "true",
    "OGEL_AUTH_ANONYMOUS": "true",
    "OGEL_RATE_SIGN_IN": "off",
    "OGEL_RATE_SIGN_IN_ACCOUNT": "5/1h",
}
PASSWORD = "Correct-horse-1"
INVALID = {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}


def sign_up(api: World, email: str, password: str = PASSWORD, **more: Any) -> Response:
    return api("POST", "/auth/v1/signup", {"email": email, "password": password, **more}, key="")


def sign_in(api: World, email: str, password: str = PASSWORD, **more: Any) -> Response:
    body = {"email": email, "password": password, **more}
    return api("POST", "/auth/v1/token?grant_type=password", body, key="")


def address() -> str:
    return f"u{uuid4().hex[:12]}@example.com"


def who(api: World, token: str) -> dict[str, Any]:
    answer: dict[str, Any] = api("GET", "/auth/v1/user", key=token).json
    return answer


def test_who_signs_up_is_signed_in_and_can_sign_in_again(api: World) -> None:
    email = address()
    made = sign_up(api, email.upper(), data={"имя": "Ада 🔑", "email_verified": False})
    assert made.status == 200
    user = made.json["user"]
    assert user["email"] == email
    assert user["user_metadata"]["имя"] == "Ада 🔑"
    assert user["user_metadata"]["email_verified"] is True
    assert who(api, made.json["access_token"])["id"] == user["id"]
    again = sign_in(api, email)
    assert again.status == 200
    assert again.json["weak_password"] is None
    assert again.json["user"]["id"] == user["id"]
    actions = [
        each["action"] for each in api.ok("GET", f"/api/audit-logs?user_id={user['id']}&limit=100")["items"]
    ]
    assert actions.count("auth.sign_in") == 2


def test_whoever_cannot_sign_in_is_told_the_same(api: World) -> None:
    email = address()
    sign_up(api, email)
    nobody = address()
    for answer in (
        sign_in(api, email, "wrong-password"),
        sign_in(api, nobody),
        sign_in(api, email, ""),
        sign_in(api, "no address"),
        sign_in(api, "a\u0000b@example.com"),
        sign_in(api, email, "x" * 100_000),
        sign_in(api, email, PASSWORD + "\u0000"),
        sign_in(api, email, " " + PASSWORD),
    ):
        assert answer.status == 400
        assert answer.json == INVALID


def test_a_banned_user_hears_of_it_only_with_the_password(api: World) -> None:
    email = address()
    id = sign_up(api, email).json["user"]["id"]
    _change(api, id, "banned_until = now() + interval '1 hour'")
    assert sign_in(api, email, "wrong-password").json == INVALID
    assert sign_in(api, email).json["error_code"] == "user_banned"
    _change(api, id, "banned_until = now() - interval '1 second'")
    assert sign_in(api, email).status == 200


def test_a_hash_from_elsewhere_is_replaced_at_the_first_sign_in(api: World) -> None:
    email = address()
    id = sign_up(api, email).json["user"]["id"]
    _change(api, id, "encrypted_password = %s", bcrypt.hashpw(b"old password", bcrypt.gensalt(4)).decode())
    assert sign_in(api, email, "another").json == INVALID
    assert sign_in(api, email, "old password").status == 200
    assert _column(api, id, "encrypted_password").startswith("$argon2id$")
    assert sign_in(api, email, "old password").status == 200


def test_a_right_password_that_is_weak_is_reported(api: World) -> None:
    email = address()
    id = sign_up(api, email).json["user"]["id"]
    _change(api, id, "encrypted_password = %s", bcrypt.hashpw(b"weak", bcrypt.gensalt(4)).decode())
    weak = sign_in(api, email, "weak").json["weak_password"]
    assert weak["reasons"] == ["length"]


def test_wrong_passwords_are_slowed_down_and_nobody_is_locked_out(api: World) -> None:
    email, nobody = address(), address()
    sign_up(api, email)
    for tried in (email, nobody):
        answers = [sign_in(api, tried, "wrong-password") for _ in range(7)]
        assert [each.status for each in answers] == [400] * 5 + [429] * 2
        assert answers[-1].json["error_code"] == "over_request_rate_limit"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600
    # Spelled otherwise it is the same account, and others go on.
    assert sign_in(api, email.upper()).status == 429
    other = address()
    sign_up(api, other)
    # What succeeds is not counted.
    assert [sign_in(api, other).status for _ in range(6)] == [200] * 6


def test_sign_ins_are_counted_by_how_they_end(api: World) -> None:
    def counted() -> dict[str, float]:
        lines = api("GET", "/metrics").raw.decode().splitlines()
        found = [line for line in lines if line.startswith("ogel_password_sign_ins_total{")]
        return {line.partition('outcome="')[2].partition('"')[0]: float(line.split()[-1]) for line in found}

    before, email = counted(), address()
    sign_up(api, email)
    sign_in(api, email)
    sign_in(api, email, "wrong-password")
    after = counted()
    assert {name: after[name] - before.get(name, 0) for name in ("signed_in", "wrong")} == {
        "signed_in": 1,
        "wrong": 1,
    }


def test_many_sign_ups_of_one_address_make_one_user(api: World) -> None:
    email = address()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: sign_up(api, email), range(6)))
    assert sorted(each.status for each in answers) == [200] + [422] * 5
    assert {each.json["error_code"] for each in answers if each.status == 422} == {"user_already_exists"}


def test_somebody_without_a_name(api: World) -> None:
    made = api("POST", "/auth/v1/signup", {"data": {"cart": 3}}, key="")
    assert made.status == 200
    user = made.json["user"]
    assert (user["is_anonymous"], user["email"], user["identities"]) == (True, "", [])
    assert who(api, made.json["access_token"])["user_metadata"] == {"cart": 3}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "x@example.com"}, 400, "validation_failed"),
        ({"email": "x@example.com", "password": ""}, 400, "validation_failed"),
        ({"email": "x@example.com", "password": "short"}, 422, "weak_password"),
        ({"email": "x@example.com", "password": "x" * 1025}, 400, "validation_failed"),
        ({"email": "x@", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": " x@example.com", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": "X <x@example.com>", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": "x@127.0.0.1", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": "x@example.com", "phone": "1", "password": PASSWORD}, 400, "validation_failed"),
        ({"phone": "15551234567", "password": PASSWORD}, 400, "phone_provider_disabled"),
        ({"email": 5, "password": PASSWORD}, 400, "bad_json"),
        ({"email": "x@example.com", "password": PASSWORD, "data": [1]}, 400, "bad_json"),
        (
            {"email": "x@example.com", "password": PASSWORD, "data": {"a": "x" * 70_000}},
            400,
            "validation_failed",
        ),
        ({"data": {"a": "x" * 70_000}}, 400, "validation_failed"),
        ({"email": "x@example.com", "password": PASSWORD, "data": {"a": "\u0000"}}, 422, "validation_failed"),
    ],
)
def test_a_sign_up_that_is_none(api: World, body: Any, status: int, code: str) -> None:
    answer = api("POST", "/auth/v1/signup", body, key="")
    assert (answer.status, answer.json["error_code"]) == (status, code)
    newer = api("POST", "/auth/v1/signup", body, key="", headers={"x-supabase-api-version": "2024-01-01"})
    assert (newer.status, newer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"email": "\\ud800"}', b"[" * 100_000]
)
def test_a_body_that_cannot_be_read(api: World, raw: bytes) -> None:
    for path in ("/signup", "/token?grant_type=password"):
        answer = api("POST", f"/auth/v1{path}", raw=raw, key="")
        assert (answer.status, answer.json["error_code"]) == (400, "bad_json")


def test_a_trigger_of_the_app_makes_a_profile(api: World) -> None:
    """As guides for Supabase have it: the name comes from the metadata, and the profile goes with its user."""
    with psycopg.connect(api.platform.settings.database_url or "", autocommit=True) as connection:
        connection.execute(
            b"CREATE TABLE public.profiles (id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, name text);"
            b" CREATE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            b" SET search_path = '' AS $$ BEGIN INSERT INTO public.profiles"
            b" VALUES (NEW.id, NEW.raw_user_meta_data ->> 'name'); RETURN NEW; END $$;"
            b" CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users"
            b" FOR EACH ROW EXECUTE FUNCTION public.handle_new_user()"
        )
        try:
            id = sign_up(api, address(), data={"name": "Ada"}).json["user"]["id"]
            profiles = "SELECT name FROM public.profiles WHERE id = %s"
            assert connection.execute(profiles, (id,)).fetchall() == [("Ada",)]
            api.ok("DELETE", f"/api/users/{id}")
            assert connection.execute(profiles, (id,)).fetchall() == []
        finally:
            connection.execute(b"DROP TRIGGER on_auth_user_created ON auth.users; DROP TABLE public.profiles")


def test_names_in_any_case_and_nulls(api: World) -> None:
    email = address()
    assert (
        api("POST", "/auth/v1/signup", {"Email": email, "PASSWORD": PASSWORD, "data": None}, key="").status
        == 200
    )
    assert sign_in(api, email, phone=None, gotrue_meta_security={}).status == 200


def test_grants_that_there_are_not(api: World) -> None:
    for query in ("", "?grant_type=client_credentials"):
        answer = api("POST", f"/auth/v1/token{query}", {}, key="")
        assert (answer.status, answer.json["msg"]) == (400, "unsupported_grant_type")


def test_what_may_be_signed_in_with_is_told(api: World) -> None:
    told = api("GET", "/auth/v1/settings", key="").json
    assert told["mailer_autoconfirm"] is True
    assert told["disable_signup"] is False
    assert (told["external"]["email"], told["external"]["anonymous_users"]) == (True, True)


@pytest.fixture
def closed(suite_servers: dict[str, str]) -> Iterator[World]:
    with World(**suite_servers, OGEL_AUTH_SIGNUP="false", OGEL_AUTH_EMAIL="false") as world:
        yield world


def test_closed_doors(closed: World) -> None:
    assert sign_up(closed, address()).json["error_code"] == "signup_disabled"
    assert closed("POST", "/auth/v1/signup", {}, key="").json["error_code"] == "signup_disabled"
    assert sign_in(closed, address()).json["error_code"] == "email_provider_disabled"


def test_too_many_from_one_address(suite_servers: dict[str, str]) -> None:
    # In a database of its own: all tests ask from one address.
    elsewhere = {"REDIS_URL": suite_servers["REDIS_URL"].removesuffix("/0") + "/9"}
    with World(
        **{**suite_servers, **elsewhere}, OGEL_AUTH_AUTOCONFIRM="true", OGEL_RATE_SIGN_IN="3/1h"
    ) as api:
        answers = [sign_in(api, address(), "wrong-password") for _ in range(5)]
    assert [each.status for each in answers] == [400] * 3 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 1


def _change(api: World, id: str, assignment: str, *values: object) -> None:
    """As another process would: behind the API's back."""
    with psycopg.connect(api.platform.settings.database_url or "", autocommit=True) as connection:
        connection.execute(f"UPDATE auth.users SET {assignment} WHERE id = %s".encode(), (*values, id))


def _column(api: World, id: str, name: str) -> Any:
    with psycopg.connect(api.platform.settings.database_url or "", autocommit=True) as connection:
        row = connection.execute(f"SELECT {name} FROM auth.users WHERE id = %s".encode(), (id,)).fetchone()
        assert row is not None
        return row[0]

"""What people change of themselves; and sign-up where a mail has to be answered, which tells nobody who is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.process import Response
from tests.support.world import World

ENVIRONMENT = {
    "OGEL_AUTH_AUTOCONFIRM": "true",
    "OGEL_AUTH_ANONYMOUS": "true",
    "OGEL_AUTH_CURRENT_PASSWORD": "true",
    "OGEL_RATE_SIGN_IN": "off",
    "OGEL_RATE_SIGN_IN_ACCOUNT": "3/1h",
}
PASSWORD = "Correct-horse-1"


def sign_up(api: World, email: str, **more: Any) -> Response:
    return api("POST", "/auth/v1/signup", {"email": email, "password": PASSWORD, **more}, key="")


def somebody(api: World) -> tuple[str, str]:
    """Their address and token."""
    email = f"u{uuid4().hex[:12]}@example.com"
    return email, sign_up(api, email).json["access_token"]


def put(api: World, token: str, **wanted: Any) -> Response:
    return api("PUT", "/auth/v1/user", wanted, key=token)


def test_metadata_are_merged_and_known_at_once(api: World) -> None:
    _, token = somebody(api)
    assert put(api, token, data={"a": 1, "b": {"c": [1]}}).json["user_metadata"]["a"] == 1
    assert put(api, token, data={"a": None, "имя": "Ада 🔑"}).status == 200
    metadata = api("GET", "/auth/v1/user", key=token).json["user_metadata"]
    assert (metadata["b"], metadata["имя"], "a" in metadata) == ({"c": [1]}, "Ада 🔑", False)
    assert put(api, token).status == 200


def test_metadata_have_an_end(api: World) -> None:
    _, token = somebody(api)
    assert put(api, token, data={"one": "x" * 40_000}).status == 200
    too_much = put(api, token, data={"two": "x" * 40_000})
    assert (too_much.status, too_much.json["error_code"]) == (400, "validation_failed")
    assert put(api, token, data={"one": None, "two": "x" * 40_000}).status == 200


def test_a_new_password_ends_all_other_sessions(api: World) -> None:
    email, token = somebody(api)
    body = {"email": email, "password": PASSWORD}
    other = api("POST", "/auth/v1/token?grant_type=password", body, key="").json["access_token"]
    changed = put(api, token, password="Battery-staple-2", current_password=PASSWORD)
    assert changed.status == 200
    assert api("GET", "/auth/v1/user", key=token).status == 200
    assert api("GET", "/auth/v1/user", key=other).json["error_code"] == "session_not_found"
    assert api("POST", "/auth/v1/token?grant_type=password", body, key="").status == 400
    body["password"] = "Battery-staple-2"
    assert api("POST", "/auth/v1/token?grant_type=password", body, key="").status == 200


def test_passwords_that_are_not_taken(api: World) -> None:
    _, token = somebody(api)
    for wanted, status, code in (
        ({"password": "Battery-staple-2"}, 400, "current_password_required"),
        ({"password": "Battery-staple-2", "current_password": "wrong"}, 400, "current_password_invalid"),
        ({"password": "", "current_password": PASSWORD}, 422, "weak_password"),
        ({"password": "password", "current_password": PASSWORD}, 422, "weak_password"),
        ({"password": PASSWORD, "current_password": PASSWORD}, 422, "same_password"),
        ({"app_metadata": {"role": "admin"}}, 403, "not_admin"),
        ({"email": "zzz"}, 400, "validation_failed"),
        ({"phone": "15551234567"}, 422, "phone_provider_disabled"),
        ({"data": "text"}, 400, "bad_json"),
    ):
        answer = put(api, token, **wanted)
        assert (answer.status, answer.json["error_code"]) == (status, code), wanted


def test_who_holds_a_session_cannot_try_passwords_for_ever(api: World) -> None:
    _, token = somebody(api)
    tries = [put(api, token, password="Battery-staple-2", current_password="wrong") for _ in range(4)]
    assert [each.status for each in tries] == [400, 400, 400, 429]


def test_somebody_without_an_address_has_no_password(api: World) -> None:
    token = api("POST", "/auth/v1/signup", {}, key="").json["access_token"]
    refused = put(api, token, password="Battery-staple-2")
    assert (refused.status, refused.json["error_code"]) == (422, "validation_failed")
    email = f"u{uuid4().hex[:12]}+cart@example.com"
    both = put(api, token, email=email, password="Battery-staple-2")
    assert (both.status, both.json["email"], both.json["is_anonymous"]) == (200, email, False)
    body = {"email": email, "password": "Battery-staple-2"}
    again = api("POST", "/auth/v1/token?grant_type=password", body, key="")
    assert again.json["user"]["id"] == both.json["id"]


def test_only_people_change_themselves(api: World) -> None:
    assert api("PUT", "/auth/v1/user", {"data": {}}, key="").status == 401
    assert api("PUT", "/auth/v1/user", {"data": {}}).status == 403
    assert api("PUT", "/auth/v1/user", {"data": {}}, key="no.jwt.here").status in (401, 403)


@pytest.fixture(scope="module")
def mailing(suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("data")
    settings = {
        "OGEL_DATA_DIR": str(directory),
        "OGEL_MAIL_PROVIDERS": "outbox",
        "OGEL_MAIL_FROM": "Acme <acme@example.com>",
        "OGEL_AUTH_MAIL_SECONDS": "0",
        "OGEL_RATE_SIGN_IN": "off",
    }
    with World(**suite_servers, **settings) as world:
        yield world


def _shape(value: Any) -> Any:
    """Names and types, without what is of one user."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value]
    return type(value).__name__ if isinstance(value, str) else value


def test_a_sign_up_of_somebody_else_looks_like_any_other(mailing: World) -> None:
    email = f"u{uuid4().hex[:12]}@example.com"
    first = sign_up(mailing, email, data={"name": "Ada"})
    again = sign_up(mailing, email, data={"name": "Eve"})
    [user] = mailing.ok("GET", f"/api/users?email={email}")["items"]
    mailing.ok("PATCH", f"/api/users/{user['id']}", {"email_confirmed": True})
    known = sign_up(mailing, email, data={"name": "Eve"})
    assert {each.status for each in (first, again, known)} == {200}
    assert _shape(first.json) == _shape(again.json) == _shape(known.json)
    assert len({each.json["id"] for each in (first, again, known)}) == 3
    assert "Ada" not in str(again.json)
    [user] = mailing.ok("GET", f"/api/users?email={email}")["items"]
    assert user["user_metadata"]["name"] == "Ada"


def test_a_strangers_password_opens_nothing_once_somebody_else_signs_up(mailing: World) -> None:
    email = f"u{uuid4().hex[:12]}@example.com"
    sign_in = "/auth/v1/token?grant_type=password"

    def tried(password: str) -> str:
        code: str = mailing("POST", sign_in, {"email": email, "password": password}, key="").json[
            "error_code"
        ]
        return code

    sign_up(mailing, email)
    sign_up(mailing, email)
    assert tried(PASSWORD) == "email_not_confirmed"
    body = {"email": email, "password": "Battery-staple-2"}
    mailing("POST", "/auth/v1/signup", body, key="")
    assert {tried(PASSWORD), tried("Battery-staple-2")} == {"invalid_credentials"}


def test_who_has_not_confirmed_hears_so_with_the_password_alone(mailing: World) -> None:
    email = f"u{uuid4().hex[:12]}@example.com"
    sign_up(mailing, email)
    for password, code in ((PASSWORD, "email_not_confirmed"), ("wrong-password", "invalid_credentials")):
        body = {"email": email, "password": password}
        answer = mailing("POST", "/auth/v1/token?grant_type=password", body, key="")
        assert (answer.status, answer.json["error_code"]) == (400, code)


def test_whose_an_address_is_shows_in_no_change(mailing: World) -> None:
    taken = f"u{uuid4().hex[:12]}@example.com"
    sign_up(mailing, taken)
    email = f"u{uuid4().hex[:12]}@example.com"
    mailing.ok("POST", "/api/users", {"email": email, "email_confirmed": True, "password": PASSWORD})
    body = {"email": email, "password": PASSWORD}
    token = mailing("POST", "/auth/v1/token?grant_type=password", body, key="").json["access_token"]
    one, other = put(mailing, token, email=taken), put(mailing, token, email=f"free.{taken}")
    assert (one.status, other.status) == (200, 200)
    assert _shape(one.json) == _shape(other.json)
    assert one.json["new_email"] == taken

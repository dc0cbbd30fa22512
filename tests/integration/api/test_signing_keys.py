"""Signing keys take turns without anybody noticing, or at once, when somebody has got hold of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from msgspec.structs import replace

from ogel.features.accounts.signing.service import BELIEVED_AFTER, PUBLISHED_BEFORE, SHOWN_AFTER
from ogel.kernel.clock import utc_now
from tests.support.people import People
from tests.support.world import World


@pytest.fixture(scope="module")
def people(api: World) -> People:
    return People(api)


def states(api: World) -> dict[str, str]:
    return {key["kid"]: key["state"] for key in api.ok("GET", "/api/signing-keys")["items"]}


def published(api: World) -> list[str]:
    return [key["kid"] for key in api("GET", "/auth/v1/.well-known/jwks.json", key="").json["keys"]]


def kid(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


def see_to(people: People, after: timedelta) -> None:
    rotation = people.accounts.key_rotation
    rotation._now = lambda: utc_now() + after
    people.run(rotation.see_to())


def good(api: World, token: str) -> bool:
    status = api("GET", "/auth/v1/user", key=token).status
    assert status in (200, 403)
    return status == 200


def test_a_key_is_published_then_signs_then_is_believed_and_forgotten_at_last(
    api: World, people: People
) -> None:
    assert api("POST", "/api/signing-keys/rotate").status == 409
    assert states(api) == {}
    [made] = published(api)  # or who asks would remember that there is none
    person = people.somebody()
    before = people.signs_in(person)
    first = kid(before.access_token)
    assert first == made
    see_to(people, timedelta(days=80))
    assert states(api) == {first: "current"}

    see_to(people, timedelta(days=90))
    assert published(api)[1] == first
    second = published(api)[0]
    assert states(api) == {first: "current", second: "standby"}
    assert kid(people.signs_in(person).access_token) == first
    assert api.ok("POST", "/api/signing-keys/rotate")["kid"] == second  # it stands by already
    see_to(people, PUBLISHED_BEFORE / 2)
    assert states(api)[second] == "standby"

    see_to(people, PUBLISHED_BEFORE)
    assert states(api) == {first: "previous", second: "current"}
    after = people.signs_in(person)
    assert kid(after.access_token) == second
    assert good(api, before.access_token) and good(api, after.access_token)

    see_to(people, BELIEVED_AFTER)
    assert states(api) == {first: "revoked", second: "current"}
    assert published(api) == [second]
    assert not good(api, before.access_token) and good(api, after.access_token)
    see_to(people, SHOWN_AFTER)
    assert states(api) == {second: "current"}
    said = api.ok("GET", "/api/audit-logs?resource_type=signing_key")["items"]
    assert [each["action"] for each in said] == ["auth.rotate_keys", "auth.add_key"]


def test_a_key_that_somebody_has_got_hold_of_ends_at_once(api: World, people: People) -> None:
    issued = people.signs_in(people.somebody())
    old = kid(issued.access_token)
    api.ok("POST", "/api/signing-keys/rotate")
    new: dict[str, Any] = api.ok("POST", "/api/signing-keys/rotate", {"at_once": True})
    assert new["state"] == "current" and "private_key" not in new
    assert set(states(api).values()) == {"current", "revoked"}
    assert states(api)[old] == "revoked"
    assert not good(api, issued.access_token)
    answer = api("POST", "/auth/v1/token?grant_type=refresh_token", {"refresh_token": issued.refresh_token})
    assert kid(answer.json["access_token"]) == new["kid"]
    assert good(api, answer.json["access_token"])


def test_what_another_process_has_made_is_known_when_it_is_met(api: World, people: People) -> None:
    """Though what this process knows of the keys is fresh."""
    keys = people.accounts.signing_keys
    issued = people.signs_in(people.somebody())
    assert good(api, issued.access_token)
    known = keys._known
    api.ok("POST", "/api/signing-keys/rotate", {"at_once": True})
    theirs = people.signs_in(people.somebody())
    keys._known = known
    asked_at = known.asked_at
    assert not good(api, theirs.access_token)  # within a moment of having asked: anybody can send a kid
    keys._known = replace(known, asked_at=asked_at - 6)
    assert good(api, theirs.access_token)


def test_two_processes_begin_at_once(suite_servers: dict[str, str]) -> None:
    """And make one key; the other's is never used."""
    with World(**suite_servers) as first, World(**suite_servers) as second:
        both = People(first), People(second)
        both[0].within(lambda tx: tx.execute(b"DELETE FROM signing_keys"))
        with ThreadPoolExecutor(8) as pool:
            tokens = list(
                pool.map(lambda n: both[n % 2].signs_in(both[n % 2].somebody()).access_token, range(8))
            )
        assert len({kid(token) for token in tokens}) == 1
        assert all(good(first, token) and good(second, token) for token in tokens)

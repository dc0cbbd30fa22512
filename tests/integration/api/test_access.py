"""Every way in there is, with real keys and tokens: what has ended or is another's opens nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from ogel.kernel.clock import rfc3339, utc_now
from ogel.runtime.http.access_table import AccessRow, access_table
from ogel.runtime.http.app import with_shell
from tests.support.factors import Authenticator, Person, somebody
from tests.support.people import People
from tests.support.process import ADMIN_KEY
from tests.support.world import World

REFUSED = (401, 403)


@pytest.fixture(scope="module")
def rows(api: World) -> list[AccessRow]:
    """Without streams: a World speaks HTTP alone."""
    routes = with_shell(api.platform.routes(everything=True), [])
    return [
        row for row in access_table(routes, [], api.platform.dialects()) if row.who not in ("open", "anyone")
    ]


def a_key(api: World, *scopes: str, **more: Any) -> Any:
    return api.ok("POST", "/api/keys", {"name": "k", "scopes": scopes, **more})


def credentials_that_ended(api: World, people: People) -> Mapping[str, str]:
    revoked, rotated = a_key(api, "*"), a_key(api, "*")
    api("DELETE", f"/api/keys/{revoked['id']}")
    api.ok("POST", f"/api/keys/{rotated['id']}/rotate", {"overlap_seconds": 0})
    signed_out, deleted, banned = (people.signs_in(people.somebody()) for _ in range(3))
    people.ends(signed_out)
    api("DELETE", f"/api/users/{deleted.user.id}")
    api.ok("PATCH", f"/api/users/{banned.user.id}", {"banned_until": "2099-01-01T00:00:00Z"})
    good = people.signs_in(people.somebody()).access_token
    head, claims, signature = good.split(".")
    return {
        "revoked": revoked["key"],
        "rotated": rotated["key"],
        "expired": a_key(api, "*", expires_at=rfc3339(utc_now()))["key"],
        "an expired token": expired(people, good),
        "signed out": signed_out.access_token,
        "deleted": deleted.access_token,
        "banned": banned.access_token,
        "of no signature": f"{head}.{claims}.",
        "of another signature": f"{head}.{claims}.{signature[::-1]}",
        "a refresh token": people.signs_in(people.somebody()).refresh_token,
        "nothing": "",
    }


def expired(people: People, good: str) -> str:
    """The same token, a minute too late."""
    signer = people.run(people.accounts.signing_keys.signer())
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    return jwt.encode({**claims, "exp": int(time.time()) - 60}, signer.private, header["alg"], headers=header)


def test_what_has_ended_opens_nothing(api: World, rows: list[AccessRow]) -> None:
    people = People(api)
    ended = credentials_that_ended(api, people)
    before = api.ok("GET", "/api/audit-logs?limit=1")["items"][0]["id"]
    for row in rows:
        path = re.sub(r"[{}]", "", row.path)
        for name, credential in ended.items():
            answer = api(row.method, path, key=credential)
            assert answer.status in REFUSED, (name, row, answer.raw)
    assert len(rows) > 130
    assert api.ok("GET", "/api/audit-logs?limit=1")["items"][0]["id"] == before


def test_who_may_less_gets_in_nowhere_else(api: World, rows: list[AccessRow]) -> None:
    publishable = api.ok("POST", "/api/keys", {"name": "web", "kind": "publishable"})["key"]
    user = somebody(api).token
    scopes = {row.scope for row in rows if row.scope}
    without = {scope: a_key(api, *(scopes - {scope}))["key"] for scope in scopes}
    for row in rows:
        path = re.sub(r"[{}]", "", row.path)
        askers = {"publishable": publishable}
        if row.who == "key":
            askers["a user"] = user
        if row.scope is not None:
            askers["every other scope"] = without[row.scope]
        if row.who == "user":
            askers["an operator"] = ADMIN_KEY
        if row.who == "known" and row.scope is None:
            continue
        for name, credential in askers.items():
            answer = api(row.method, path, key=credential)
            assert answer.status in REFUSED, (name, row, answer.raw)


def enrolled(person: Person) -> tuple[str, Authenticator]:
    answer = person.ok("POST", "/factors", {"factor_type": "totp"})
    return answer["id"], Authenticator.of(answer)


def verified(person: Person) -> str:
    id, app = enrolled(person)
    challenge = person.ok("POST", f"/factors/{id}/challenge")["id"]
    person.goes_on(
        person.ok("POST", f"/factors/{id}/verify", {"challenge_id": challenge, "code": app.code()})
    )
    return id


def test_what_is_another_users_or_teams_is_not_there(api: World, rows: list[AccessRow]) -> None:
    """Every way in for people that names something, asked by somebody else who knows the names."""
    owner, other = somebody(api), somebody(api)
    team = api("POST", "/api/teams", {"name": "blue"}, key=owner.token).json["id"]
    api("POST", "/api/teams", {"name": "red"}, key=other.token)
    one = f"/api/teams/{team}"
    invitation = {"email": "x@example.com", "roles": ["member"], "send": False}
    names = {
        "/api/teams/": {
            "id": team,
            "member": api.ok("GET", f"{one}/members")["items"][0]["id"],
            "invitation": api.ok("POST", f"{one}/invitations", invitation)["id"],
        },
        "/api/me/sessions/": {"id": api("GET", "/api/me/sessions", key=owner.token).json["items"][0]["id"]},
        "/auth/v1/factors/": {"factor_id": verified(owner)},
        "/auth/v1/user/identities/": {
            "identity_id": owner.ok("GET", "/user")["identities"][0]["identity_id"]
        },
    }
    bodies: Mapping[tuple[str, str], Any] = {
        ("PATCH", "/api/teams/{id}"): {"name": "mine"},
        ("PATCH", "/api/teams/{id}/members/{member}"): {"roles": ["member"]},
        ("POST", "/api/teams/{id}/invitations"): invitation,
        ("POST", "/auth/v1/factors/{factor_id}/verify"): {
            "challenge_id": owner.ok("POST", f"/factors/{names['/auth/v1/factors/']['factor_id']}/challenge")[
                "id"
            ],
            "code": "123456",
        },
    }
    asked = [
        row
        for row in rows
        # What is whose in storage is for its policies: test_storage_permissions and the golden rls.jsonl.
        if row.who in ("user", "known") and "{" in row.path and row.feature != "storage"
    ]

    def seen() -> Any:
        mine = [api.ok("GET", each) for each in (one, f"{one}/members", f"{one}/invitations")]
        user = owner.ok("GET", "/user")
        return mine, user["identities"], [each["id"] for each in user["factors"]]

    before = seen()
    for row in asked:
        [named] = [each for prefix, each in names.items() if row.path.startswith(prefix)]
        answer = api(
            row.method, row.path.format(**named), bodies.get((row.method, row.path)), key=other.token
        )
        assert answer.status in (403, 404), (row, answer.raw)
    assert len(asked) >= 13 and seen() == before


def test_one_factor_is_not_enough_where_there_are_two(api: World) -> None:
    person = somebody(api)
    factor = verified(person)
    weak = person.another()
    for method, path, body in (
        ("POST", "/factors", {"factor_type": "totp", "friendly_name": "second"}),
        ("DELETE", f"/factors/{factor}", None),
        ("POST", "/factors/recovery-codes", None),
        ("POST", "/factors/recovery-codes/regenerate", None),
        ("DELETE", "/factors/recovery-codes", None),
    ):
        assert weak.refused(method, path, body)[1] == "insufficient_aal", path
    assert [each["id"] for each in weak.ok("GET", "/user")["factors"]] == [factor]

"""Teams at the door: who sees and changes what, invitations that are good once, and how soon a change is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from ogel.features.accounts.users.user import User
from ogel.kernel.clock import utc_now
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SYSTEM, Caller
from ogel.kernel.roles import CLAIM, MOST_CLAIM_BYTES, roles_of
from ogel.runtime.http.credentials import TOKEN, Credential
from tests.support.contract import assert_problem
from tests.support.people import CALLER, People
from tests.support.process import Response
from tests.support.world import World

ENVIRONMENT = {
    "OGEL_SITE_URL": "https://app.example.com",
    "OGEL_REDIRECT_URLS": "https://other.example.com/join",
    "OGEL_APP_NAME": "Shop",
    "OGEL_MAIL_FROM": "Shop <shop@example.com>",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_TEAMS_PER_USER": "200",
    "OGEL_TEAM_INVITATIONS_PER_HOUR": "60",
}


class Person:
    """Somebody who has signed in."""

    def __init__(self, api: World, people: People, user: User) -> None:
        self._api = api
        self.user = user
        self.id = str(user.id)
        self.token = people.signs_in(user).access_token

    def __call__(self, method: str, path: str, body: Any = None) -> Response:
        return self._api(method, path, body, key=self.token)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = self(method, path, body)
        assert answer.status < 300, answer.raw
        return answer.json if answer.raw else None

    def roles(self, at: World | None = None) -> set[str]:
        """Those that the next request has besides its user's own, here or at another process."""
        found = (at or self._api)("GET", "/api/me", key=self.token).json["roles"]
        return {role for role in found if role not in ("any", "users") and not role.startswith("user:")}


@pytest.fixture(scope="module")
def people(api: World) -> People:
    return People(api)


@pytest.fixture
def somebody(api: World, people: People) -> Any:
    def made(**columns: Any) -> Person:
        return Person(api, people, people.somebody(**columns))

    return made


@pytest.fixture
def anna(somebody: Any) -> Person:
    return somebody()


@pytest.fixture
def ben(somebody: Any) -> Person:
    return somebody()


def a_team(owner: Person, name: str = "blue") -> str:
    return str(owner.ok("POST", "/api/teams", {"name": name})["id"])


def add(api: World, team: str, who: Person, *roles: str) -> str:
    body = {"user_id": who.id, "roles": roles or ("member",)}
    return str(api.ok("POST", f"/api/teams/{team}/members", body)["id"])


def invite(by: Person, team: str, email: str, roles: Sequence[str] = ("member",), **more: Any) -> Any:
    return by.ok(
        "POST", f"/api/teams/{team}/invitations", {"email": email, "roles": roles, "send": False, **more}
    )


def token_of(invitation: Any) -> str:
    [token] = parse_qs(urlsplit(invitation["url"]).query)["team_invitation"]
    return token


def accept(who: Person, token: str) -> Response:
    return who("POST", "/api/teams/invitations/accept", {"token": token})


def member_of(who: Person, team: str) -> str:
    [found] = [
        each for each in who.ok("GET", f"/api/teams/{team}/members")["items"] if each["user_id"] == who.id
    ]
    return str(found["id"])


def test_who_makes_a_team_owns_it_and_nobody_else_sees_it(api: World, anna: Person, ben: Person) -> None:
    team = anna.ok("POST", "/api/teams", {"name": "Blåbær 🫐"})
    assert (team["name"], team["roles"], team["made_by"]) == ("Blåbær 🫐", ["owner"], anna.id)
    assert anna.ok("GET", "/api/teams")["items"] == [team] == [anna.ok("GET", f"/api/teams/{team['id']}")]
    [member] = anna.ok("GET", f"/api/teams/{team['id']}/members")["items"]
    assert (member["user_id"], member["email"], member["roles"]) == (anna.id, anna.user.email, ["owner"])
    assert ben.ok("GET", "/api/teams")["items"] == []
    one, other = f"/api/teams/{team['id']}", f"/api/teams/{new_id('team')}"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("PATCH", f"/members/{member['id']}", {"roles": ["member"]}),
        ("DELETE", f"/members/{member['id']}", None),
        ("GET", "/invitations", None),
        ("POST", "/invitations", {"email": "a@example.com", "roles": ["owner"]}),
        ("DELETE", "/invitations/inv_1", None),
    ):
        # As if it were not there.
        hidden = assert_problem(ben(method, one + path, body), 404)
        missing = assert_problem(ben(method, other + path, body), 404)
        assert hidden["detail"].replace(team["id"], "x") == missing["detail"].replace(
            other.rpartition("/")[2], "x"
        )
    assert_problem(ben("POST", f"{one}/members", {"user_id": ben.id, "roles": ["owner"]}), 403)
    assert anna.ok("GET", one) == team == {**api.ok("GET", one), "roles": ["owner"]}


def test_keys_see_and_change_all_teams(api: World, anna: Person, ben: Person) -> None:
    team = api.ok("POST", "/api/teams", {"name": "red", "owner": anna.id})
    assert (team["roles"], team["made_by"]) == (None, "admin")
    assert anna.ok("GET", f"/api/teams/{team['id']}")["roles"] == ["owner"]
    member = add(api, team["id"], ben, "editor", "member", "editor")
    assert_problem(api("POST", f"/api/teams/{team['id']}/members", {"user_id": ben.id, "roles": ["x"]}), 409)
    [of_ben] = api.ok("GET", f"/api/teams?user={ben.id}")["items"]
    assert (of_ben["id"], of_ben["roles"]) == (team["id"], ["editor", "member"])
    # A user asks for no others' teams.
    [own] = ben.ok("GET", f"/api/teams?user={anna.id}")["items"]
    assert own["roles"] == ["editor", "member"]
    pages = [api.ok("GET", "/api/teams?limit=1")]
    pages.append(api.ok("GET", f"/api/teams?limit=1&after={pages[0]['next']}"))
    assert pages[0]["items"][0]["id"] == team["id"] != pages[1]["items"][0]["id"]
    assert api.ok("PATCH", f"/api/teams/{team['id']}", {"name": "Red"})["name"] == "Red"
    assert api("DELETE", f"/api/teams/{team['id']}/members/{member}").status == 204
    empty = api.ok("POST", "/api/teams", {"name": "nobody's"})
    assert api.ok("GET", f"/api/teams/{empty['id']}/members")["items"] == []
    assert api("DELETE", f"/api/teams/{team['id']}").status == 204
    assert_problem(anna("GET", f"/api/teams/{team['id']}"), 404)
    reader = api.ok("POST", "/api/keys", {"name": "r", "scopes": ["accounts:read"]})["key"]
    assert api("GET", "/api/teams", key=reader).status == 200
    assert_problem(api("POST", "/api/teams", {"name": "x"}, key=reader), 403)
    publishable = api.ok("POST", "/api/keys", {"name": "w", "kind": "publishable"})["key"]
    assert_problem(api("GET", "/api/teams", key=publishable), 403)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"name": ""}, "body.name"),
        ("", {"name": "a\nb"}, "body.name"),
        ("", {"name": "x" * 101}, "body.name"),
        ("", {"name": "x", "owner": "me"}, "body.owner"),
        ("", {"name": "x", "owner": "00000000-0000-0000-0000-000000000000"}, "body.owner"),
        (
            "/{}/members",
            {"user_id": "00000000-0000-0000-0000-000000000000", "roles": ["member"]},
            "body.user_id",
        ),
        ("/{}/members", {"user_id": "x", "roles": ["member"]}, "body.user_id"),
        ("/{}/invitations", {"email": "a", "roles": ["member"]}, "body.email"),
        ("/{}/invitations", {"email": "A <a@example.com>", "roles": ["member"]}, "body.email"),
        ("/{}/invitations", {"email": "a@b\r\nBcc: c@example.com", "roles": ["member"]}, "body.email"),
        ("/{}/invitations", {"email": "a@example.com", "roles": []}, "body.roles"),
        ("/{}/invitations", {"email": "a@example.com", "roles": ["a/b"]}, "body.roles[0]"),
        ("/{}/invitations", {"email": "a@example.com", "roles": ["x" * 33]}, "body.roles[0]"),
        ("/{}/invitations", {"email": "a@example.com", "roles": ["éditeur"]}, "body.roles[0]"),
        ("/{}/invitations", {"email": "a@example.com", "roles": ["member\n"]}, "body.roles[0]"),
        ("/{}/invitations", {"email": "a@example.com", "roles": [f"r{n}" for n in range(11)]}, "body.roles"),
        ("/{}/invitations", {"email": "a@example.com", "roles": ["x"], "language": "../de"}, "body.language"),
    ],
)
def test_a_wrong_field_is_named(api: World, path: str, body: Any, field: str) -> None:
    team = api.ok("POST", "/api/teams", {"name": "t"})["id"] if path else ""
    assert_problem(api("POST", f"/api/teams{path.format(team)}", body), 422, field)


def test_admins_run_a_team_and_owners_own_it(api: World, anna: Person, somebody: Any) -> None:
    team, (ben, cleo, dora) = a_team(anna), (somebody() for _ in range(3))
    one = f"/api/teams/{team}"
    admin, member = add(api, team, ben, "admin"), add(api, team, cleo, "member", "editor")
    owner, mail = member_of(anna, team), {"email": dora.user.email, "send": False}
    for who, method, path, body, status in (
        (cleo, "PATCH", "", {"name": "mine"}, 403),
        (cleo, "GET", "/invitations", None, 403),
        (cleo, "POST", "/invitations", {**mail, "roles": ["member"]}, 403),
        (cleo, "DELETE", "/invitations/inv_1", None, 403),
        (cleo, "PATCH", f"/members/{member}", {"roles": ["admin"]}, 403),
        (cleo, "DELETE", f"/members/{admin}", None, 403),
        (ben, "DELETE", "", None, 403),
        (ben, "PATCH", f"/members/{admin}", {"roles": ["owner"]}, 403),
        (ben, "PATCH", f"/members/{owner}", {"roles": ["member"]}, 403),
        (ben, "DELETE", f"/members/{owner}", None, 403),
        (ben, "POST", "/invitations", {**mail, "roles": ["member", "owner"]}, 403),
        (cleo, "GET", "", None, 200),
        (cleo, "GET", "/members", None, 200),
        (ben, "PATCH", "", {"name": "Blue"}, 200),
        (ben, "PATCH", f"/members/{member}", {"roles": ["admin"]}, 200),
        (ben, "POST", "/invitations", {**mail, "roles": ["member"]}, 201),
        (ben, "DELETE", f"/members/{member}", None, 204),
        (cleo, "GET", "", None, 404),
        (anna, "PATCH", f"/members/{admin}", {"roles": ["owner", "admin"]}, 200),
        (ben, "DELETE", f"/members/{owner}", None, 204),
        (ben, "DELETE", "", None, 204),
        (ben, "GET", "", None, 404),
    ):
        answer = who(method, one + path, body)
        assert answer.status == status, (method, path, body, answer.raw)


def test_the_last_owner_cannot_go(api: World, anna: Person, ben: Person) -> None:
    team = a_team(anna)
    first, second = member_of(anna, team), add(api, team, ben, "owner")
    path = f"/api/teams/{team}/members"
    assert ben("DELETE", f"{path}/{second}").status == 204
    for who in (anna, api):
        assert_problem(who("DELETE", f"{path}/{first}"), 409)
        assert_problem(who("PATCH", f"{path}/{first}", {"roles": ["admin"]}), 409)
    assert anna.ok("PATCH", f"{path}/{first}", {"roles": ["owner", "x"]})["roles"] == ["owner", "x"]


def test_of_owners_who_leave_at_once_one_stays(api: World, somebody: Any) -> None:
    owners = [somebody() for _ in range(6)]
    team = a_team(owners[0])
    for other in owners[1:]:
        add(api, team, other, "owner")
    ids = [member_of(who, team) for who in owners]
    with ThreadPoolExecutor(6) as together:
        statuses = list(
            together.map(lambda who, id: who("DELETE", f"/api/teams/{team}/members/{id}").status, owners, ids)
        )
    assert sorted(statuses) == [204] * 5 + [409]
    assert len(api.ok("GET", f"/api/teams/{team}/members")["items"]) == 1


def test_an_invitation_is_mailed_and_makes_a_member(
    api: World, people: People, anna: Person, ben: Person
) -> None:
    team = a_team(anna, "blue & <green>")
    body = {"email": ben.user.email.upper(), "roles": ["editor"], "language": "de"}  # type: ignore[union-attr]
    made = anna.ok("POST", f"/api/teams/{team}/invitations", body)
    assert (made["email"], made["roles"], made["invited_by"], made["url"]) == (
        ben.user.email,
        ["editor"],
        anna.id,
        None,
    )
    [mail] = api.ok("GET", f"/api/mail?to={ben.user.email}")["items"]
    assert anna.user.email in mail["subject"] and "team_invitation" not in str(mail)
    [event] = api.ok("GET", f"/api/events?type=teams.invitation.created&subject={team}")["items"]
    assert made["url"] is None and event["subject"] == team

    link = invite(anna, team, ben.user.email, ["editor"])  # type: ignore[arg-type]
    [open] = anna.ok("GET", f"/api/teams/{team}/invitations")["items"]
    assert open["id"] == link["id"] != made["id"]
    joined = accept(ben, token_of(link))
    assert joined.status == 200
    assert (joined.json["user_id"], joined.json["roles"]) == (ben.id, ["editor"])
    assert_problem(accept(ben, token_of(link)), 404)
    assert anna.ok("GET", f"/api/teams/{team}/invitations")["items"] == []
    again = anna(
        "POST", f"/api/teams/{team}/invitations", {"email": ben.user.email, "roles": ["admin"], "send": False}
    )
    assert_problem(again, 409)
    records = api.ok("GET", f"/api/audit-logs?user_id={ben.id}&limit=100")["items"]
    actions = [each["action"] for each in records if each["action"].startswith("team")]
    assert sorted(actions) == ["team_invitation.accept", "team_member.add"]
    assert ben.user.email not in str(records)


def test_the_link_leads_only_where_it_may(anna: Person) -> None:
    team = a_team(anna)
    for asked, begins in (
        (None, "https://app.example.com?team_invitation="),
        ("https://app.example.com/join?x=1#top", "https://app.example.com/join?x=1&team_invitation="),
        ("https://other.example.com/join", "https://other.example.com/join?team_invitation="),
        ("https://evil.example.com/", "https://app.example.com?team_invitation="),
        ("javascript:alert(1)", "https://app.example.com?team_invitation="),
        ("https://app.example.com.evil.example.com/", "https://app.example.com?team_invitation="),
    ):
        url = invite(anna, team, "somebody@example.com", redirect_to=asked)["url"]
        assert url.startswith(begins), url
        assert url.endswith("#top") == (asked is not None and asked.endswith("#top"))


def test_an_invitation_is_for_who_has_confirmed_its_address(
    people: People, anna: Person, ben: Person, api: World, somebody: Any
) -> None:
    team = a_team(anna)
    token = token_of(invite(anna, team, ben.user.email))  # type: ignore[arg-type]
    other = somebody()
    assert "address" in assert_problem(accept(other, token), 403)["detail"]
    assert ben.user.email not in accept(other, token).raw.decode()
    people.within(lambda tx: people.accounts.user_store.update(tx, ben.user.id, email_confirmed_at=None))
    assert "Confirm" in assert_problem(accept(ben, token), 403)["detail"]
    people.within(
        lambda tx: people.accounts.user_store.update(tx, ben.user.id, email_confirmed_at=ben.user.created_at)
    )
    # Nobody has used it up.
    assert accept(ben, token).status == 200


def test_who_runs_a_team_no_more_brings_in_nobody(
    api: World, anna: Person, ben: Person, somebody: Any
) -> None:
    """An admin who is about to be removed invites another address of theirs."""
    team = a_team(anna)
    again = somebody()
    new = {"user_id": ben.id, "roles": ["admin"]}
    member = api("POST", f"/api/teams/{team}/members", new).json["id"]
    token = token_of(invite(ben, team, again.user.email, ["admin"]))

    anna.ok("PATCH", f"/api/teams/{team}/members/{member}", {"roles": ["editor"]})
    assert_problem(accept(again, token), 404)
    anna.ok("DELETE", f"/api/teams/{team}/members/{member}")
    assert_problem(accept(again, token), 404)

    api("POST", f"/api/teams/{team}/members", new)
    assert accept(again, token).status == 200


@pytest.mark.parametrize("token", ["x", "x" * 128, "🫐", "' OR 1=1 --"])
def test_what_is_no_invitation_is_none(anna: Person, token: str) -> None:
    assert_problem(accept(anna, token), 404)


def test_revoked_and_expired_invitations_are_none(
    api: World, people: People, anna: Person, ben: Person
) -> None:
    team = a_team(anna)
    made = invite(anna, team, ben.user.email)  # type: ignore[arg-type]
    path = f"/api/teams/{team}/invitations/{made['id']}"
    other_team = a_team(ben)
    assert_problem(ben("DELETE", f"/api/teams/{other_team}/invitations/{made['id']}"), 404)
    assert anna("DELETE", path).status == 204
    assert_problem(anna("DELETE", path), 404)
    assert_problem(accept(ben, token_of(made)), 404)
    made = invite(anna, team, ben.user.email)  # type: ignore[arg-type]
    people.within(
        lambda tx: tx.execute(
            b"UPDATE team_invitations SET expires_at = now() WHERE id = %(id)s", {"id": made["id"]}
        )
    )
    assert_problem(accept(ben, token_of(made)), 404)
    made = invite(anna, team, ben.user.email)  # type: ignore[arg-type]
    assert anna("DELETE", f"/api/teams/{team}").status == 204
    assert_problem(accept(ben, token_of(made)), 404)


def test_expired_invitations_are_forgotten_after_a_while(api: World, people: People, anna: Person) -> None:
    team = a_team(anna)
    old, new = (invite(anna, team, f"{new_id('x')}@example.com") for _ in range(2))
    past = b"UPDATE team_invitations SET expires_at = now() - interval '90 days' WHERE id = %(id)s"
    people.within(lambda tx: tx.execute(past, {"id": old["id"]}))
    [purge] = api.platform.features["teams"].purges
    before = utc_now() - timedelta(days=30)
    assert people.within(lambda tx: purge.count(tx, before)) >= 1
    assert people.within(lambda tx: purge.batch(tx, before, 100)).deleted >= 1
    assert [each["id"] for each in anna.ok("GET", f"/api/teams/{team}/invitations")["items"]] == [new["id"]]


def test_fifty_at_once_accept_one_invitation_once(
    api: World, people: People, anna: Person, ben: Person
) -> None:
    team = a_team(anna)
    token = token_of(invite(anna, team, ben.user.email))  # type: ignore[arg-type]
    with ThreadPoolExecutor(10) as together:
        statuses = list(together.map(lambda _: accept(ben, token).status, range(50)))
    assert sorted(statuses) == [200] + [404] * 49
    assert len(api.ok("GET", f"/api/events?type=teams.member.added&subject={team}")["items"]) == 2


def test_who_has_not_confirmed_an_address_invites_nobody(api: World, people: People, anna: Person) -> None:
    team = a_team(anna)
    people.within(lambda tx: people.accounts.user_store.update(tx, anna.user.id, email_confirmed_at=None))
    body = {"email": "x@example.com", "roles": ["member"]}
    assert_problem(anna("POST", f"/api/teams/{team}/invitations", body), 403)


def test_invitations_are_limited_by_who_sends_and_who_gets_them(anna: Person, somebody: Any) -> None:
    team = a_team(anna)
    to_one = [
        anna(
            "POST",
            f"/api/teams/{team}/invitations",
            {"email": "One@example.com", "roles": ["x"], "send": False},
        )
        for _ in range(11)
    ]
    assert [each.status for each in to_one] == [201] * 10 + [429]
    assert int(to_one[-1].headers["retry-after"]) > 0
    # Whoever it is.
    other = somebody()
    body = {"email": "one@example.com", "roles": ["x"], "send": False}
    assert other("POST", f"/api/teams/{a_team(other)}/invitations", body).status == 429
    statuses = [
        anna(
            "POST",
            f"/api/teams/{team}/invitations",
            {"email": f"{n}@example.com", "roles": ["x"], "send": False},
        ).status
        for n in range(55)
    ]
    assert statuses.count(429) >= 4 and statuses == sorted(statuses)


def test_a_change_is_known_with_the_next_request(api: World, anna: Person, ben: Person) -> None:
    """With the token that was signed before."""
    team = a_team(anna)
    member = add(api, team, ben, "editor")
    assert ben.roles() >= {f"team:{team}", f"team:{team}/editor", f"member:{member}", "users/verified"}
    anna.ok("PATCH", f"/api/teams/{team}/members/{member}", {"roles": ["reader"]})
    assert f"team:{team}/reader" in ben.roles() and f"team:{team}/editor" not in ben.roles()
    assert anna("DELETE", f"/api/teams/{team}/members/{member}").status == 204
    assert not {role for role in ben.roles() if role.startswith(("team:", "member:"))}
    add(api, team, ben)
    assert anna("DELETE", f"/api/teams/{team}").status == 204
    assert ben.roles() == {"users/verified"}


def test_another_process_knows_within_a_second(
    api: World, suite_servers: dict[str, str], anna: Person, ben: Person
) -> None:
    """Also when nothing tells it: a World listens to no announcement."""
    team = a_team(anna)
    with World(**suite_servers, **ENVIRONMENT) as other:
        assert ben.roles(other) == {"users/verified"}
        member = add(api, team, ben)
        changed = time.monotonic()
        while f"member:{member}" not in ben.roles(other):
            assert time.monotonic() < changed + 5
        assert time.monotonic() < changed + 1.5  # a second, and what a busy machine adds


def test_a_stream_that_needs_a_role_ends_with_it(
    api: World, people: People, anna: Person, ben: Person
) -> None:
    team = a_team(anna)
    member, watch = add(api, team, ben, "editor"), people.accounts.session_watch
    principal = people.run(people.accounts.authenticate(Credential(TOKEN, ben.token), CALLER))
    assert principal is not None
    ended: list[str] = []
    needs = ("", "users", "users/verified", f"user:{ben.id}", f"team:{team}", f"team:{team}/editor")

    async def begin() -> None:
        for role in needs:
            watch.watch(principal, role, lambda _, role=role: ended.append(role))

    people.run(begin())
    people.run(watch._look())
    assert ended == []
    anna.ok("PATCH", f"/api/teams/{team}/members/{member}", {"roles": ["reader"]})
    people.run(watch._look())
    assert ended == [f"team:{team}/editor"]
    anna("DELETE", f"/api/teams/{team}/members/{member}")
    people.run(watch._look())
    assert sorted(ended) == [f"team:{team}", f"team:{team}/editor"]


def test_labels_are_roles(api: World, people: People, ben: Person) -> None:
    api.ok("PATCH", f"/api/users/{ben.id}", {"labels": ["vip", "beta-2"]})
    assert ben.roles() == {"users/verified", "label:vip", "label:beta-2"}
    principal = people.run(people.accounts.authenticate(Credential(TOKEN, ben.token), CALLER))
    assert principal is not None
    assert roles_of(principal) == {
        "any", "users", "users/verified", f"user:{ben.id}", f"user:{ben.id}/verified", "label:vip", "label:beta-2",
    }  # fmt: skip
    api.ok("PATCH", f"/api/users/{ben.id}", {"labels": []})
    assert ben.roles() == {"users/verified"}


def test_a_user_who_is_deleted_as_they_join_is_no_fault(
    api: World, people: People, anna: Person, somebody: Any
) -> None:
    """A World fails with what would be a 500."""
    team = a_team(anna)
    joining = [somebody() for _ in range(8)]
    tokens = [token_of(invite(anna, team, who.user.email)) for who in joining]
    with ThreadPoolExecutor(8) as together:
        deleted = [together.submit(api, "DELETE", f"/api/users/{who.id}") for who in joining]
        answers = [together.submit(accept, who, token) for who, token in zip(joining, tokens, strict=True)]
        assert {each.result().status for each in deleted} == {204}
        assert {each.result().status for each in answers} <= {200, 401, 404}
    assert len(api.ok("GET", f"/api/teams/{team}/members")["items"]) == 1


def test_a_token_carries_roles_while_they_fit(api: World, people: People, ben: Person) -> None:
    assert CLAIM not in jwt.decode(ben.token, options={"verify_signature": False})
    team = api.ok("POST", "/api/teams", {"name": "one"})["id"]
    member = add(api, team, ben, "editor")

    def said() -> Any:
        token = people.signs_in(ben.user).access_token
        return token, jwt.decode(token, options={"verify_signature": False}).get(CLAIM)

    assert said()[1] == [f"member:{member}", f"team:{team}", f"team:{team}/editor"]
    people.within(
        lambda tx: tx.execute(
            b"WITH many AS (INSERT INTO teams (id, name, made_by) SELECT 'team_' || n, 'x', 'x'"
            b" FROM generate_series(1, 1000) AS n RETURNING id)"
            b" INSERT INTO team_members (id, team_id, user_id, roles)"
            b" SELECT 'mem_' || id, id, %(user)s, '{owner}' FROM many",
            {"user": ben.user.id},
        )
    )
    token, claim = said()
    assert claim is None and len(token) < MOST_CLAIM_BYTES
    assert api("GET", "/api/teams/team_500", key=token).status == 200
    body = {"user_id": ben.id, "roles": ["member"]}
    new = api.ok("POST", "/api/teams", {"name": "one too many"})["id"]
    assert_problem(api("POST", f"/api/teams/{new}/members", body), 409)
    assert_problem(api("POST", "/api/teams", {"name": "x"}, key=token), 409)


def test_what_changes_is_told(api: World, anna: Person, ben: Person) -> None:
    team = a_team(anna)
    anna.ok("PATCH", f"/api/teams/{team}", {"name": "Blue"})
    anna.ok("PATCH", f"/api/teams/{team}", {"name": "Blue"})  # changes nothing
    member = add(api, team, ben)
    path = f"/api/teams/{team}/members/{member}"
    for _ in range(2):
        anna.ok("PATCH", path, {"roles": ["admin"]})
    assert ben("DELETE", path).status == 204
    assert anna("DELETE", f"/api/teams/{team}").status == 204
    events = api.ok("GET", f"/api/events?subject={team}&limit=100")["items"][::-1]
    assert [each["type"] for each in events] == [
        "teams.created", "teams.member.added", "teams.updated", "teams.member.added", "teams.member.updated",
        "teams.member.removed", "teams.deleted",
    ]  # fmt: skip
    assert all(before["id"] < after["id"] for before, after in pairwise(events))
    assert events[4]["data"] == {"id": member, "team_id": team, "user_id": ben.id, "roles": ["admin"]}
    records = api.ok("GET", f"/api/audit-logs?resource_type=team&resource_id={team}")["items"]
    assert [each["action"] for each in records] == ["team.delete", "team.update", "team.create"]


def test_a_deleted_user_leaves_no_membership_behind(
    api: World, people: People, anna: Person, ben: Person
) -> None:
    """The owner, too: an operator names another."""
    team = a_team(anna)
    add(api, team, ben)
    people.within(lambda tx: people.accounts.users.delete(tx, Caller(SYSTEM, "req_1"), anna.user.id))
    [member] = api.ok("GET", f"/api/teams/{team}/members")["items"]
    assert member["user_id"] == ben.id
    assert api.ok("PATCH", f"/api/teams/{team}/members/{member['id']}", {"roles": ["owner"]})["roles"] == [
        "owner"
    ]

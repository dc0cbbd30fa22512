"""Sessions at the door of Supabase's clients: refreshed, shown, ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest

from ogel.features.accounts.sessions.session import Issued
from ogel.kernel.errors import Unavailable
from tests.support.people import CALLER, People
from tests.support.process import ADMIN_KEY, SECRET, Response
from tests.support.world import World

ENVIRONMENT = {"OGEL_AUTH_URL": "https://auth.example.com/auth/v1"}
NO_SESSION = {
    "code": 403,
    "error_code": "session_not_found",
    "msg": "Session from session_id claim in JWT does not exist",
}


@pytest.fixture(scope="module")
def people(api: World) -> People:
    return People(api)


@pytest.fixture
def ada(people: People) -> Issued:
    return people.signs_in(people.somebody())


def refresh(api: World, token: object, **headers: str) -> Response:
    body = {"refresh_token": token}
    return api("POST", "/auth/v1/token?grant_type=refresh_token", body, key="", headers=headers)


def user(api: World, access_token: str) -> Response:
    return api("GET", "/auth/v1/user", key=access_token)


def code(response: Response) -> tuple[int, str]:
    return response.status, response.json["error_code"]


def later(people: People, issued: Issued, statement: bytes) -> None:
    people.within(lambda tx: tx.execute(b"UPDATE sessions SET " + statement + b" WHERE id = %(id)s",
                                        {"id": issued.session_id}))  # fmt: skip


def test_a_session_is_what_clients_of_gotrue_know(api: World, people: People, ada: Issued) -> None:
    answer = refresh(api, ada.refresh_token)
    assert answer.status == 200
    session: dict[str, Any] = answer.json
    assert set(session) == {
        "access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user",
    }  # fmt: skip
    assert (session["token_type"], session["expires_in"]) == ("bearer", 600)
    assert session["refresh_token"] != ada.refresh_token
    assert session["user"] == user(api, session["access_token"]).json
    [jwk] = api("GET", "/auth/v1/.well-known/jwks.json", key="").json["keys"]
    claims = jwt.decode(
        session["access_token"],
        jwt.PyJWK(jwk),
        algorithms=["ES256"],
        audience="authenticated",
        issuer="https://auth.example.com/auth/v1",
    )
    assert jwt.get_unverified_header(session["access_token"]) == {
        "alg": "ES256", "kid": jwk["kid"], "typ": "JWT",
    }  # fmt: skip
    assert {name: claims[name] for name in ("sub", "email", "phone", "role", "aal", "is_anonymous")} == {
        "sub": str(ada.user.id),
        "email": ada.user.email,
        "phone": "",
        "role": "authenticated",
        "aal": "aal1",
        "is_anonymous": False,
    }
    assert claims["session_id"] == str(ada.session_id)
    assert [each["method"] for each in claims["amr"]] == ["password"]
    assert claims["exp"] == session["expires_at"]


def test_the_token_before_gets_the_same_new_one_for_a_while(api: World, people: People, ada: Issued) -> None:
    first = refresh(api, ada.refresh_token).json["refresh_token"]
    assert refresh(api, ada.refresh_token).json["refresh_token"] == first
    second = refresh(api, first).json["refresh_token"]
    assert refresh(api, first).json["refresh_token"] == second
    assert len({ada.refresh_token, first, second}) == 3


def test_fifty_at_once_make_one_step(api: World, people: People, ada: Issued) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: refresh(api, ada.refresh_token), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    counter = people.within(
        lambda tx: tx.value(b"SELECT counter FROM sessions WHERE id = %(id)s", {"id": ada.session_id})
    )
    assert counter == 1


def test_a_session_that_ends_while_it_is_refreshed_stays_ended(api: World, people: People) -> None:
    for _ in range(5):
        issued = people.signs_in(people.somebody())
        with ThreadPoolExecutor(9) as pool:
            refreshed = [pool.submit(refresh, api, issued.refresh_token) for _ in range(8)]
            pool.submit(people.ends, issued).result()
        answers = [each.result() for each in refreshed]
        assert {answer.status for answer in answers} <= {200, 400}
        for answer in answers:
            if answer.status == 200:
                assert code(refresh(api, answer.json["refresh_token"])) == (400, "refresh_token_not_found")
                assert user(api, answer.json["access_token"]).json == NO_SESSION


@pytest.mark.parametrize("steps", [1, 2])
def test_a_token_that_comes_again_too_late_ends_the_session(
    api: World, people: People, ada: Issued, steps: int
) -> None:
    """Of a thief, or after one: nobody can tell, so that both are out."""
    current = refresh(api, ada.refresh_token).json
    if steps == 2:
        current = refresh(api, current["refresh_token"]).json
    else:
        later(people, ada, b"previous_until = now()")
    assert code(refresh(api, ada.refresh_token)) == (400, "refresh_token_already_used")
    assert code(refresh(api, current["refresh_token"])) == (400, "refresh_token_not_found")
    assert user(api, current["access_token"]).json == NO_SESSION
    [record] = api.ok("GET", f"/api/audit-logs?action=auth.refresh_reuse&resource_id={ada.session_id}")[
        "items"
    ]
    assert (record["user_id"], record["metadata"]) == (str(ada.user.id), {"steps_behind": steps})
    events = api.ok("GET", f"/api/events?type=auth.session.ended&subject={ada.user.id}")["items"]
    assert [event["data"]["reason"] for event in events] == ["refresh_token_reused"]


def test_tokens_that_are_none(api: World, people: People, ada: Issued) -> None:
    other = people.signs_in(people.somebody())
    swapped = other.refresh_token[:-4] + ada.refresh_token[-4:]
    for wrong in ("", "!", "ogr_", ada.refresh_token[:-1], ada.refresh_token + "A", swapped, ada.access_token,
                  ada.refresh_token.upper(), "ogr_" + "A" * 60, "é" * 60):  # fmt: skip
        assert code(refresh(api, wrong)) == (400, "validation_failed"), wrong
    assert code(refresh(api, "x7" * 6)) == (400, "refresh_token_not_found")
    assert code(refresh(api, 5)) == (400, "bad_json")
    assert code(refresh(api, None)) == (400, "validation_failed")
    newer = refresh(api, "!", **{"x-supabase-api-version": "2024-01-01"})
    assert newer.json == {"code": "validation_failed", "message": "Refresh token is not valid"}
    people.ends(ada)
    assert code(refresh(api, ada.refresh_token)) == (400, "refresh_token_not_found")


def test_a_genuine_token_from_after_a_restored_backup_is_good(
    api: World, people: People, ada: Issued
) -> None:
    token = ada.refresh_token
    for _ in range(3):
        token = refresh(api, token).json["refresh_token"]
    later(people, ada, b"counter = 1, previous_until = NULL")
    after = refresh(api, token)
    assert after.status == 200 and after.json["refresh_token"] != token
    assert refresh(api, token).json["refresh_token"] == after.json["refresh_token"]


def test_sessions_end_when_nobody_refreshes_them_and_at_last_anyway(
    api: World, people: People, ada: Issued
) -> None:
    later(people, ada, b"not_after = now()")
    people.accounts.people.forget_all()
    assert code(refresh(api, ada.refresh_token)) == (400, "session_expired")
    assert code(user(api, ada.access_token)) == (403, "session_expired")
    old = people.signs_in(ada.user)
    later(people, old, b"created_at = now() - interval '29 days 23 hours'")
    assert refresh(api, old.refresh_token).status == 200
    left = people.within(
        lambda tx: tx.value(
            b"SELECT extract(epoch FROM not_after - now())::int FROM sessions WHERE id = %(id)s",
            {"id": old.session_id},
        )
    )
    assert 3500 < left <= 3600


def test_the_banned_and_the_deleted_are_out(api: World, people: People, ada: Issued) -> None:
    def change(statement: bytes) -> None:
        query = b"UPDATE users SET " + statement + b" WHERE id = %(id)s"
        people.within(lambda tx: tx.execute(query, {"id": ada.user.id}))
        people.accounts.people.forget_all()

    change(b"banned_until = now() + interval '1 hour'")
    assert code(user(api, ada.access_token)) == (403, "user_banned")
    assert code(refresh(api, ada.refresh_token)) == (400, "user_banned")
    change(b"banned_until = NULL")
    assert user(api, ada.access_token).status == 200
    people.within(lambda tx: tx.execute(b"DELETE FROM users WHERE id = %(id)s", {"id": ada.user.id}))
    people.accounts.people.forget_all()
    assert code(user(api, ada.access_token)) == (403, "user_not_found")
    assert code(refresh(api, ada.refresh_token)) == (400, "refresh_token_not_found")


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("?scope=local", {"second", "third"}),
        ("?scope=others", {"first"}),
        ("?scope=global", set()),
        ("", set()),
    ],
)
def test_who_signs_out_says_where(api: World, people: People, scope: str, left: set[str]) -> None:
    person = people.somebody()
    sessions = {name: people.signs_in(person) for name in ("first", "second", "third")}
    other = people.signs_in(people.somebody())
    for issued in sessions.values():
        assert user(api, issued.access_token).status == 200  # remembered, and forgotten
    assert api("POST", f"/auth/v1/logout{scope}", key=sessions["first"].access_token).status == 204
    answers = {name: user(api, issued.access_token) for name, issued in sessions.items()}
    assert {name for name, answer in answers.items() if answer.status == 200} == left
    assert all(answer.json == NO_SESSION for name, answer in answers.items() if name not in left)
    assert user(api, other.access_token).status == 200


def test_signing_out_of_nowhere(api: World, ada: Issued) -> None:
    assert code(api("POST", "/auth/v1/logout?scope=zzz", key=ada.access_token)) == (400, "validation_failed")
    assert code(api("POST", "/auth/v1/logout", key="")) == (401, "no_authorization")
    assert code(api("POST", "/auth/v1/logout", key="garbage")) == (403, "bad_jwt")
    assert code(api("POST", "/auth/v1/logout")) == (403, "bad_jwt")
    assert api("GET", "/auth/v1/logout", key=ada.access_token).status == 405


def test_the_oldest_session_ends_where_there_are_too_many(api: World, people: People) -> None:
    person = people.somebody()
    service = people.accounts.sessions
    usual, service._lifetimes = service._lifetimes, service._lifetimes._replace(per_user=2)
    try:
        first, second, third = [people.signs_in(person) for _ in range(3)]
    finally:
        service._lifetimes = usual
    assert user(api, first.access_token).json == NO_SESSION
    assert [user(api, each.access_token).status for each in (second, third)] == [200, 200]
    shown = people.run(service.of_user(person.id))
    assert [each.id for each in shown] == [third.session_id, second.session_id]


def test_a_second_factor_raises_the_session_and_its_loss_lowers_it(
    api: World, people: People, ada: Issued
) -> None:
    factor = ada.session_id  # any id
    raised = people.within(
        lambda tx: people.accounts.sessions.verified(tx, CALLER, ada.session_id, "totp", factor)
    )
    claims = jwt.decode(raised.access_token, options={"verify_signature": False})
    assert (claims["aal"], [each["method"] for each in claims["amr"]]) == ("aal2", ["totp", "password"])
    assert raised.session_id == ada.session_id
    assert refresh(api, ada.refresh_token).json["refresh_token"] == raised.refresh_token
    people.within(lambda tx: people.accounts.sessions.downgrade(tx, ada.user.id, factor))
    lowered = refresh(api, raised.refresh_token).json["access_token"]
    assert jwt.decode(lowered, options={"verify_signature": False})["aal"] == "aal1"


def test_apikey_must_be_good_where_it_comes(api: World, ada: Issued) -> None:
    wrong = {"apikey": "wrong"}
    assert code(refresh(api, ada.refresh_token, **wrong)) == (401, "no_authorization")
    assert api("GET", "/auth/v1/health", key="", headers=wrong).status == 401
    assert api("GET", "/auth/v1/user", key=ada.access_token, headers=wrong).status == 403
    made = api.ok("POST", "/api/keys", {"name": "app", "scopes": ["events:read"]})["key"]
    good = {"apikey": made}
    # Without Authorization it says who asks.
    assert api("GET", "/auth/v1/admin/users", key="", headers={"apikey": ADMIN_KEY}).status == 200
    assert api("GET", "/auth/v1/admin/users", key="", headers=good).status == 403
    assert refresh(api, ada.refresh_token, **good).status == 200
    assert api("GET", "/auth/v1/user", key=ada.access_token, headers=good).status == 200


def test_operators_see_sessions_and_end_them(api: World, people: People) -> None:
    person = people.somebody()
    first, second, third = [people.signs_in(person) for _ in range(3)]
    shown = api.ok("GET", f"/api/users/{person.id}/sessions")["items"]
    assert {each["id"] for each in shown} == {str(each.session_id) for each in (first, second, third)}
    assert set(shown[0]) == {
        "id", "user_id", "aal", "amr", "ip", "user_agent", "created_at", "refreshed_at", "not_after",
    }  # fmt: skip
    assert (shown[0]["ip"], shown[0]["user_agent"]) == ("127.0.0.1", "a test")
    assert api("DELETE", f"/api/sessions/{first.session_id}").status == 204
    assert [user(api, each.access_token).status for each in (first, second)] == [403, 200]
    assert api("DELETE", f"/api/sessions/{first.session_id}").status == 404
    assert api("DELETE", f"/api/users/{person.id}/sessions").status == 204
    assert user(api, second.access_token).status == 403
    assert api.ok("GET", f"/api/users/{person.id}/sessions")["items"] == []
    assert api("DELETE", f"/api/users/{person.id}/sessions").status == 204
    for path in (f"/api/users/{first.session_id}/sessions", "/api/users/nobody/sessions"):
        assert [api(method, path).status for method in ("GET", "DELETE")] == [404, 404]
    assert api("DELETE", "/api/sessions/none").status == 404


def test_people_see_their_own_sessions_and_end_them(api: World, people: People) -> None:
    person, other = people.somebody(), people.signs_in(people.somebody())
    here, there = people.signs_in(person), people.signs_in(person)
    key = here.access_token
    shown = api("GET", "/api/me/sessions", key=key).json["items"]
    assert {each["id"] for each in shown} == {str(here.session_id), str(there.session_id)}
    assert api("DELETE", f"/api/me/sessions/{other.session_id}", key=key).status == 404
    assert user(api, other.access_token).status == 200
    assert api("DELETE", f"/api/me/sessions/{there.session_id}", key=key).status == 204
    assert user(api, there.access_token).status == 403
    assert api("GET", f"/api/users/{person.id}/sessions", key=key).status == 403
    assert api("DELETE", f"/api/sessions/{here.session_id}", key=key).status == 403
    assert api("GET", "/api/me/sessions").status == 403
    assert api("GET", "/api/me/sessions", key=there.access_token).status == 401


def test_refreshes_and_refusals_are_counted(api: World, people: People, ada: Issued) -> None:
    def counted() -> dict[str, float]:
        lines = api("GET", "/metrics").raw.decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines)
            if name.startswith(("ogel_session_refreshes_total", "ogel_access_tokens_refused_total"))
        }

    before = counted()
    first = refresh(api, ada.refresh_token).json
    refresh(api, ada.refresh_token)
    refresh(api, "!")
    later(people, ada, b"previous_until = now()")
    refresh(api, ada.refresh_token)
    user(api, first["access_token"])
    user(api, first["access_token"] + "x")
    more = {name: value - before.get(name, 0) for name, value in counted().items()}
    assert {name: value for name, value in more.items() if value} == {
        'ogel_session_refreshes_total{outcome="stepped"}': 1,
        'ogel_session_refreshes_total{outcome="again"}': 1,
        'ogel_session_refreshes_total{outcome="refused"}': 1,
        'ogel_session_refreshes_total{outcome="reused"}': 1,
        'ogel_access_tokens_refused_total{code="session_not_found"}': 1,
        'ogel_access_tokens_refused_total{code="bad_jwt"}': 1,
    }


def test_under_another_secret_clients_keep_what_they_have(
    api: World, people: People, ada: Issued, suite_servers: dict[str, str]
) -> None:
    """Until somebody has mended the settings; with the former secret named, all goes on."""
    with World(**suite_servers, **ENVIRONMENT, OGEL_SECRET="another-secret-0123456789abcdef") as other:
        theirs = People(other)
        for wanted in (
            lambda: theirs.run(theirs.accounts.sessions.refresh(CALLER, ada.refresh_token)),
            lambda: theirs.signs_in(ada.user),
        ):
            with pytest.raises(Unavailable, match="cannot be read"):
                wanted()
        # Who has signed in before is known: that takes public keys only.
        assert user(other, ada.access_token).status == 200
    mended = {"OGEL_SECRET": "another-secret-0123456789abcdef", "OGEL_SECRET_OLD": SECRET}
    with World(**suite_servers, **ENVIRONMENT, **mended) as other:
        assert refresh(other, ada.refresh_token).status == 200

"""Second factors by /auth/v1/factors: enrolled, shown, good once per code, removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support.factors import AUTH, Authenticator, Person, somebody
from tests.support.world import World


def enrolled(person: Person, **more: Any) -> tuple[str, Authenticator]:
    answer = person.ok("POST", "/factors", {"factor_type": "totp", **more})
    return answer["id"], Authenticator.of(answer)


def verified(person: Person, **more: Any) -> tuple[str, Authenticator]:
    id, app = enrolled(person, **more)
    show(person, id, app)
    return id, app


def challenged(person: Person, id: str) -> str:
    challenge: str = person.ok("POST", f"/factors/{id}/challenge")["id"]
    return challenge


def show(person: Person, id: str, app: Authenticator) -> Any:
    session = person.ok(
        "POST", f"/factors/{id}/verify", {"challenge_id": challenged(person, id), "code": app.code()}
    )
    person.goes_on(session)
    return session


def wrong(person: Person, id: str, challenge: str) -> tuple[int, str]:
    return person.refused("POST", f"/factors/{id}/verify", {"challenge_id": challenge, "code": "00000x"})


def execute(servers: dict[str, str], statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        connection.execute("SET search_path = ogel, ogel_auth, auth")
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def test_a_code_raises_the_session_to_aal2(api: World) -> None:
    ada = somebody(api)
    id, app = enrolled(ada, friendly_name="phone")
    assert ada.ok("GET", "/user")["factors"][0]["status"] == "unverified"
    session = show(ada, id, app)
    claims = claims_of(session["access_token"])
    assert claims["aal"] == "aal2"
    assert [each["method"] for each in claims["amr"]] == ["totp", "password"]
    [factor] = session["user"]["factors"]
    assert (factor["id"], factor["status"], factor["friendly_name"]) == (id, "verified", "phone")
    # A refreshed token says so, too; another sign-in does not.
    assert claims_of(refreshed(ada)["access_token"])["aal"] == "aal2"
    assert claims_of(ada.another().token)["aal"] == "aal1"


def test_no_code_and_no_challenge_is_good_twice(api: World) -> None:
    ada = somebody(api)
    id, app = enrolled(ada)
    challenge, code = challenged(ada, id), app.code()
    verify = f"/factors/{id}/verify"
    ada.goes_on(ada.ok("POST", verify, {"challenge_id": challenge, "code": code}))
    used = ada("POST", verify, {"challenge_id": challenge, "code": app.code()})
    assert (used.status, used.json["error_code"]) == (422, "mfa_challenge_expired")
    again = {"challenge_id": challenged(ada, id), "code": code}
    assert ada.refused("POST", verify, again) == (422, "mfa_verification_failed")


def test_of_fifty_at_once_one_is_let_in(api: World) -> None:
    ada = somebody(api)
    id, app = enrolled(ada)
    body = {"challenge_id": challenged(ada, id), "code": app.code()}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ada("POST", f"/factors/{id}/verify", body).status, range(50)))
    assert sorted(answers)[:2] == [200, 422]
    assert set(answers) <= {200, 422, 429}


def test_wrong_codes_lock_a_factor_for_a_while(api: World, suite_servers: dict[str, str]) -> None:
    ada = somebody(api)
    id, app = verified(ada)
    bob = ada.another()
    challenge = challenged(bob, id)
    assert [wrong(bob, id, challenge) for _ in range(5)] == [(422, "mfa_verification_failed")] * 5
    body = {"challenge_id": challenge, "code": app.code()}
    locked = bob("POST", f"/factors/{id}/verify", body)
    assert (locked.status, locked.json["error_code"]) == (429, "over_request_rate_limit")
    assert 50 < int(locked.headers["retry-after"]) <= 60
    execute(suite_servers, "UPDATE mfa_factors SET locked_until = now() WHERE id = %s", id)
    # The challenge has not been used up by codes that were wrong.
    bob.goes_on(bob.ok("POST", f"/factors/{id}/verify", body))
    [(tries,)] = execute(suite_servers, "SELECT wrong_tries FROM mfa_factors WHERE id = %s", id)
    assert tries == 0


def test_a_second_device_is_not_thrown_out_by_another_ones_code(api: World) -> None:
    ada = somebody(api)
    before = ada.another()
    id, app = verified(ada)
    # It had never shown a factor, and now there is one.
    assert before.refused("GET", "/user") == (403, "session_not_found")
    laptop = ada.another()
    show(ada, id, app)
    assert laptop("GET", "/user").status == 200


def test_the_first_code_counts_and_what_was_begun_besides_is_forgotten(api: World) -> None:
    ada = somebody(api)
    enrolled(ada, friendly_name="abandoned")
    id, _ = verified(ada, friendly_name="phone")
    assert [each["id"] for each in ada.ok("GET", "/user")["factors"]] == [id]


def test_a_session_without_the_factor_changes_no_factors(api: World) -> None:
    ada = somebody(api)
    id, app = verified(ada)
    weak = ada.another()
    assert weak.refused("POST", "/factors", {"factor_type": "totp", "friendly_name": "mine"}) == (
        403,
        "insufficient_aal",
    )
    assert weak.refused("DELETE", f"/factors/{id}") == (422, "insufficient_aal")
    show(weak, id, app)
    assert weak.ok("DELETE", f"/factors/{id}") == {"id": id}
    assert weak.refused("DELETE", f"/factors/{id}") == (404, "mfa_factor_not_found")
    # What the factor had raised is as before.
    assert claims_of(refreshed(weak)["access_token"])["aal"] == "aal1"
    assert "factors" not in weak.ok("GET", "/user")


def test_names_are_free_again_when_nobody_completes_an_enrolment(
    api: World, suite_servers: dict[str, str]
) -> None:
    ada = somebody(api)
    body = {"factor_type": "totp"}
    id, _ = enrolled(ada)
    assert ada.refused("POST", "/factors", body) == (422, "mfa_factor_name_conflict")
    execute(suite_servers, "UPDATE mfa_factors SET created_at = now() - interval '6 min' WHERE id = %s", id)
    ada.ok("POST", "/factors", body)


def test_there_are_no_more_than_ten(api: World) -> None:
    ada = somebody(api)
    for number in range(10):
        enrolled(ada, friendly_name=f"{number} 🦊 مفتاح")
    body = {"factor_type": "totp", "friendly_name": "eleven"}
    assert ada.refused("POST", "/factors", body) == (403, "too_many_enrolled_mfa_factors")


def test_a_factor_is_its_users(api: World) -> None:
    ada, eve = somebody(api), somebody(api)
    id, app = enrolled(ada)
    challenge = challenged(ada, id)
    assert eve.refused("POST", f"/factors/{id}/challenge") == (404, "mfa_factor_not_found")
    body = {"challenge_id": challenge, "code": app.code()}
    assert eve.refused("POST", f"/factors/{id}/verify", body) == (404, "mfa_factor_not_found")
    assert eve.refused("DELETE", f"/factors/{id}") == (404, "mfa_factor_not_found")
    other, _ = enrolled(ada, friendly_name="other")
    assert ada.refused("POST", f"/factors/{other}/verify", body) == (422, "mfa_factor_not_found")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "validation_failed")),
        ({"factor_type": "sms"}, (400, "validation_failed")),
        ({"factor_type": "phone", "phone": "1"}, (422, "mfa_phone_enroll_not_enabled")),
        ({"factor_type": "webauthn"}, (422, "mfa_webauthn_enroll_not_enabled")),
        ({"factor_type": "totp", "friendly_name": "x" * 101}, (400, "validation_failed")),
        ({"factor_type": "totp", "friendly_name": "a\0b"}, (400, "validation_failed")),
        ({"factor_type": "totp", "issuer": "x" * 65}, (400, "validation_failed")),
        ({"factor_type": 7}, (400, "bad_json")),
    ],
)
def test_what_cannot_be_enrolled(api: World, body: Any, refusal: tuple[int, str]) -> None:
    assert somebody(api).refused("POST", "/factors", body) == refusal


def test_codes_that_are_none(api: World) -> None:
    ada = somebody(api)
    id, _ = enrolled(ada)
    challenge = challenged(ada, id)
    verify = f"/factors/{id}/verify"
    assert ada.refused("POST", verify, {"challenge_id": challenge}) == (400, "validation_failed")
    assert ada.refused("POST", verify, {"challenge_id": "zzz", "code": "1"}) == (400, "bad_json")
    assert ada.refused("POST", verify, {"code": "123456"}) == (422, "mfa_factor_not_found")
    for code in ["٣" * 7, "1" * 100_000, "\ud83d", "12345\u2028"]:
        body = {"challenge_id": challenge, "code": code}
        assert ada.refused("POST", verify, body)[0] in (400, 422)


def test_anonymous_users_have_no_factors(api: World) -> None:
    nobody = somebody(api, is_anonymous=True)
    assert nobody.refused("POST", "/factors", {"factor_type": "totp"}) == (403, "no_authorization")


def test_what_happened_is_in_the_log_without_secrets(api: World) -> None:
    ada = somebody(api)
    id, app = enrolled(ada)
    challenge = challenged(ada, id)
    wrong(ada, id, challenge)
    ada.goes_on(ada.ok("POST", f"/factors/{id}/verify", {"challenge_id": challenge, "code": app.code()}))
    ada.ok("DELETE", f"/factors/{id}")
    records = api.ok("GET", f"/api/audit-logs?user_id={ada.id}&limit=100")["items"]
    actions = [each["action"] for each in reversed(records)]
    assert [each for each in actions if each.startswith("factor.")] == [
        "factor.enroll",
        "factor.refuse",
        "factor.delete",
    ]
    assert "auth.factor_verified" in actions
    for type in ("auth.factor.added", "auth.factor.removed"):
        [event] = api.ok("GET", f"/api/events?type={type}&subject={ada.id}")["items"]
        assert event["data"]["id"] == id


def refreshed(person: Person) -> Any:
    body = {"refresh_token": person.refresh_token}
    session = person.world(
        "POST", f"{AUTH}/token?grant_type=refresh_token", body, headers={"authorization": ""}
    ).json
    person.goes_on(session)
    return session


def claims_of(token: str) -> Any:
    import jwt

    return jwt.decode(token, options={"verify_signature": False})

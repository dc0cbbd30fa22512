"""Sign-in with other sites, at the door that browsers and apps use, against a site on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import pytest

from ogel.features.accounts.users.user import NewUser, User
from tests.support import factors as people_with_factors
from tests.support.factors import Authenticator
from tests.support.issuer import (
    ACCESS_TOKEN,
    GRACE,
    OIDC_CLIENT,
    OIDC_SECRET,
    REFRESH_TOKEN,
    Issuer,
    Person,
    an_issuer,
)
from tests.support.mailed import Mailed
from tests.support.people import CALLER, People
from tests.support.process import Response
from tests.support.signing_in import Browser, fragment, query
from tests.support.world import World

SITE, APP, AUTH = "http://app.example.com", "http://app.example.com/in", "http://auth.example.com/auth/v1"
ENVIRONMENT = {
    "OGEL_AUTH_URL": AUTH,
    "OGEL_SITE_URL": SITE,
    "OGEL_REDIRECT_URLS": f"{SITE}/**,com.example.app://*",
    "OGEL_AUTH_AUTOCONFIRM": "false",
    "OGEL_AUTH_MANUAL_LINKING": "true",
    "OGEL_AUTH_ANONYMOUS": "true",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_MAIL_FROM": "Acme <acme@example.com>",
    "OGEL_RATE_SIGN_IN": "off",
    "OGEL_RATE_WRITE": "off",
    "OGEL_AUTH_MAIL_SECONDS": "0",
}
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "s256"}
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$c29tZWhhc2g"


@pytest.fixture(scope="module")
def _issuer() -> Iterator[Issuer]:
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(_issuer: Issuer) -> Issuer:
    _issuer.reset()
    return _issuer


@pytest.fixture(scope="module")
def api(suite_servers: dict[str, str], _issuer: Issuer) -> Iterator[World]:
    with World(**suite_servers, **_issuer.settings, **ENVIRONMENT) as world:
        yield world


@pytest.fixture(scope="module")
def trusting(suite_servers: dict[str, str], _issuer: Issuer) -> Iterator[World]:
    """Confirms no addresses, and lets nobody add accounts."""
    other = {**ENVIRONMENT, "OGEL_AUTH_AUTOCONFIRM": "true", "OGEL_AUTH_MANUAL_LINKING": "false"}
    with World(**suite_servers, **_issuer.settings, **other) as world:
        yield world


@pytest.fixture
def browser(api: World, issuer: Issuer) -> Browser:
    return Browser(api, issuer)


def somebody(**more: Any) -> Person:
    """Nobody whom another test knows."""
    name = uuid4().hex[:12]
    return Person(**{"sub": f"kc-{name}", "email": f"{name}@example.com", **more})


def user_of(api: World, session: dict[str, str]) -> dict[str, Any]:
    answer = api("GET", "/auth/v1/user", key=session["access_token"])
    assert answer.status == 200, answer.body
    user: dict[str, Any] = answer.json
    return user


def made(api: World, email: str | None, *, confirmed: bool = True) -> User:
    """Who signed up with a password, and has shown that the address is theirs if `confirmed`."""
    new = NewUser(email=email, email_confirmed=confirmed, password_hash=HASH, signs_up=True)
    people = People(api)
    return people.within(lambda tx: people.accounts.users.create(tx, CALLER, new))


def has_password(api: World, email: str | None) -> bool:
    [(has,)] = rows(api, b"SELECT encrypted_password IS NOT NULL FROM users WHERE email = %(a)s", a=email)
    return bool(has)


def exchange(api: World, code: str, verifier: str = VERIFIER) -> Response:
    body = {"auth_code": code, "code_verifier": verifier}
    return api("POST", "/auth/v1/token?grant_type=pkce", body, key="")


def at_once(times: int, what: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(times) as pool:
        return [each.result() for each in [pool.submit(what) for _ in range(times)]]


def test_somebody_signs_in_with_github(api: World, browser: Browser, issuer: Issuer) -> None:
    issuer.person = GRACE

    session = browser.sign_in("github", redirect_to=APP)

    assert set(session) == {
        *("access_token", "expires_at", "expires_in", "provider_refresh_token", "provider_token"),
        *("refresh_token", "sb", "token_type"),
    }
    assert (session["provider_token"], session["token_type"]) == (ACCESS_TOKEN, "bearer")
    user = user_of(api, session)
    assert (user["email"], user["app_metadata"]) == (
        "grace@example.com",
        {"provider": "github", "providers": ["github"]},
    )
    assert user["user_metadata"]["user_name"] == "gracehub"
    assert [each["id"] for each in user["identities"]] == ["4242"]


def test_an_app_exchanges_a_code_that_only_it_can(api: World, browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()

    back = browser.come_back(browser.leave("keycloak", redirect_to=APP, **PKCE))

    assert back.headers["location"].startswith(f"{APP}?code=") and fragment(back) == {}
    code = query(back)["code"]
    assert exchange(api, code, "w" * 50).json["error_code"] == "bad_code_verifier"
    session = exchange(api, code).json
    assert (session["provider_token"], session["provider_refresh_token"]) == (ACCESS_TOKEN, REFRESH_TOKEN)
    assert session["user"]["email"] == issuer.person.email
    assert exchange(api, code).json["error_code"] == "flow_state_not_found"


def test_who_comes_again_is_the_same_and_known_as_the_site_says_now(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    issuer.person = somebody(name="Ada")
    first = user_of(api, browser.sign_in("keycloak"))
    issuer.person = Person(issuer.person.sub, "elsewhere@example.com", name="Countess")
    second = user_of(api, browser.sign_in("keycloak"))

    assert second["id"] == first["id"] and second["email"] == first["email"]
    assert second["user_metadata"]["name"] == "Countess"
    assert second["identities"][0]["email"] == "elsewhere@example.com"


def test_an_app_keeps_the_query_that_it_asked_for(browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()

    back = browser.come_back(browser.leave("keycloak", redirect_to=f"{APP}?next=%2Fa%3Fb", **PKCE))

    assert query(back)["next"] == "/a?b" and len(query(back)["code"]) == 36


def test_a_github_app_that_may_not_read_addresses_signs_nobody_in(browser: Browser, issuer: Issuer) -> None:
    issuer.person = GRACE
    forbidden = b'{"message": "Resource not accessible by integration"}'
    issuer.says["/api/v3/user/emails"] = (403, {}, forbidden)

    back = query(browser.come_back(browser.leave("github", redirect_to=APP)))

    assert back["error_code"] == "unexpected_failure"


# What ties a browser's going and coming together.


def test_a_state_is_good_once(browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    callback = issuer.visit(browser.leave("keycloak", redirect_to=APP))
    answers = at_once(8, lambda: browser.arrive(callback))

    assert sorted(each.status for each in answers) == [302] + [303] * 7
    assert {query(each)["error_code"] for each in answers if each.status == 303} == {"bad_oauth_state"}
    assert len(issuer.token_requests) == 1


@pytest.mark.parametrize(
    "state", ["", "zzz", "1" * 5000, "93503a62-950b-4232-9144-96615933468d", "../", "\x00", "é"]
)
def test_a_state_that_was_made_up_leads_to_the_site(browser: Browser, state: str) -> None:
    answer = browser("GET", f"/callback?{urlencode({'code': 'x', 'state': state})}")

    assert answer.status == 303 and answer.headers["location"].startswith(f"{SITE}?error=invalid_request")


def test_who_went_for_a_coffee_is_told_on_the_site(api: World, browser: Browser, issuer: Issuer) -> None:
    url = browser.leave("keycloak", redirect_to=APP)
    state = dict(parse_qsl(urlsplit(url).query))["state"]
    late = b"UPDATE flow_states SET expires_at = now() WHERE id = %(id)s"
    People(api).within(lambda tx: tx.execute(late, {"id": state}))

    answer = browser.come_back(url)

    assert answer.status == 303 and answer.headers["location"].startswith(f"{SITE}?")
    assert query(answer)["error_description"] == "OAuth state not found or expired"


def test_a_flow_of_the_other_kind_is_no_state(api: World, browser: Browser) -> None:
    people, user = People(api), made(api, somebody().email)
    begin, lifetime = people.accounts.flows.begin, timedelta(minutes=5)
    id = people.within(lambda tx: begin(tx, "email", "magiclink", CHALLENGE, APP, lifetime, user_id=user.id))

    answer = browser("GET", f"/callback?{urlencode({'code': 'x', 'state': str(id)})}")

    assert query(answer)["error_code"] == "bad_oauth_state"


def test_a_browser_that_never_left_is_not_signed_in_as_somebody_else(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    """Otherwise whoever sends a link could have others work in an account that is theirs."""
    issuer.person = somebody()
    callback = issuer.visit(browser.leave("keycloak", redirect_to=APP))

    for other in (Browser(api, issuer), _with_cookie(Browser(api, issuer), browser, "x" * 43)):
        answer = other.arrive(callback)
        assert answer.status == 303 and query(answer)["error_code"] == "bad_oauth_state"
        callback = issuer.visit(browser.leave("keycloak", redirect_to=APP))


def _with_cookie(browser: Browser, like: Browser, value: str) -> Browser:
    browser.cookies = dict.fromkeys(like.cookies, value)
    return browser


def test_two_tabs_may_be_on_their_way(browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    first, second = browser.leave("keycloak"), browser.leave("keycloak")

    assert "access_token" in fragment(browser.come_back(second))
    assert "access_token" in fragment(browser.come_back(first))


def test_the_cookie_is_for_this_host_alone(suite_servers: dict[str, str], issuer: Issuer) -> None:
    secure = {**ENVIRONMENT, "OGEL_AUTH_URL": AUTH.replace("http:", "https:")}
    with World(**suite_servers, **issuer.settings, **secure) as api:
        answer = api("GET", "/auth/v1/authorize?provider=github", key="")

    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-ogel-sign-in"
    assert {each.strip() for each in rest.split(";")[1:]} == {
        *("HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"),
    }


def test_a_code_that_was_put_into_another_sign_in_is_refused(browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    stolen = dict(parse_qsl(urlsplit(issuer.visit(browser.leave("keycloak"))).query))["code"]
    issuer.callback = {"code": stolen}

    answer = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    assert query(answer) == {
        "error": "server_error",
        "error_code": "unexpected_failure",
        "error_description": "Unable to exchange external code",
    }
    assert stolen not in answer.headers["location"]


def test_a_code_of_another_site_goes_nowhere(browser: Browser, issuer: Issuer) -> None:
    issuer.callback = {"iss": "http://honest.example.com"}

    answer = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    assert query(answer)["error_code"] == "unexpected_failure"
    assert issuer.token_requests == []


def test_the_provider_is_told_one_address_to_come_back_to(browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    evil = {"redirect_uri": "http://evil.example.com", "state": "x", "client_id": "x", "nonce": "x"}
    more = {
        "request_uri": "http://evil.example.com",
        "response_type": "token",
        "scope": "x",
        "prompt": "login",
    }

    left = dict(parse_qsl(urlsplit(browser.leave("keycloak", **evil, **more)).query))

    assert left["redirect_uri"] == f"{AUTH}/callback" and left["client_id"] == OIDC_CLIENT
    assert left["prompt"] == "login" and left["response_type"] == "code" and "request_uri" not in left
    assert left["scope"] == "openid profile email" and len(left["state"]) == 36 and len(left["nonce"]) == 43
    assert "redirect_to" not in left


@pytest.mark.parametrize(
    "redirect_to",
    [
        "http://evil.example.com/",
        "//evil.example.com",
        "http://app.example.com.evil.example.com/",
        "http://app.example.com@evil.example.com/",
        "http://app.example.com:8080/in",
        "https://app.example.com\\@evil.example.com",
        "javascript:alert(1)//http://app.example.com/",
        "data:text/html,x",
        "http://app.example.com%2eevil.example.com/",
        "\thttp://evil.example.com/",
        "http:evil.example.com",
    ],
)
def test_nobody_is_sent_where_the_operator_has_not_said(
    browser: Browser, issuer: Issuer, redirect_to: str
) -> None:
    issuer.person = somebody()

    back = browser.come_back(browser.leave("keycloak", redirect_to=redirect_to))

    assert back.headers["location"].startswith(f"{SITE}#access_token=")


@pytest.mark.parametrize("redirect_to", [APP, f"{APP}?a=b", f"{APP}#/x", "com.example.app://in"])
def test_an_app_gets_its_people_where_it_wants_them(
    browser: Browser, issuer: Issuer, redirect_to: str
) -> None:
    issuer.person = somebody()

    back = browser.come_back(browser.leave("keycloak", redirect_to=redirect_to))

    assert back.headers["location"].startswith(redirect_to) and "access_token" in fragment(back)


def test_a_site_may_answer_with_a_form(browser: Browser, issuer: Issuer) -> None:
    """The form of another site comes without our cookie."""
    issuer.person = somebody()
    callback = urlsplit(issuer.visit(browser.leave("keycloak", redirect_to=APP)))
    kept, browser.cookies = browser.cookies, {}
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = browser("POST", "/callback", raw=callback.query.encode(), headers=form)
    browser.cookies = kept

    assert posted.status == 303 and posted.headers["location"].startswith(f"{AUTH}/callback?")
    assert "access_token" in fragment(browser.arrive(posted.headers["location"]))


def test_who_says_no_comes_back_with_it(browser: Browser, issuer: Issuer) -> None:
    issuer.callback = {"code": None, "error": "access_denied", "error_description": "denied by user"}

    back = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    said = {"error": "access_denied", "error_description": "denied by user"}
    assert (query(back), fragment(back)) == (said, {**said, "sb": ""})


def test_what_a_site_says_went_wrong_is_bounded(browser: Browser, issuer: Issuer) -> None:
    issuer.callback = {"code": None, "error": "<script>", "error_description": "x" * 5000}

    back = query(browser.come_back(browser.leave("keycloak", redirect_to=APP)))

    assert back == {"error": "server_error", "error_description": "x" * 300}


def test_a_site_that_is_away_is_said_to_be(suite_servers: dict[str, str], issuer: Issuer) -> None:
    issuer.says["/realms/acme/.well-known/openid-configuration"] = (500, {}, b"")
    with (
        World(**suite_servers, **issuer.settings, **ENVIRONMENT) as api,
        pytest.raises(AssertionError, match="503"),
    ):
        api("GET", "/auth/v1/authorize?provider=keycloak", key="")


# Whose account it is.


def test_a_confirmed_user_with_the_same_address_is_joined(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    issuer.person = person = somebody()
    user = made(api, person.email)

    found = user_of(api, browser.sign_in("keycloak"))

    assert found["id"] == str(user.id)
    assert found["app_metadata"]["providers"] == ["email", "keycloak"]
    assert {each["provider"] for each in found["identities"]} == {"email", "keycloak"}
    assert has_password(api, person.email)


def test_addresses_are_the_same_in_every_spelling(api: World, browser: Browser, issuer: Issuer) -> None:
    person = somebody()
    user = made(api, person.email)
    issuer.person = Person(person.sub, (person.email or "").upper())

    assert user_of(api, browser.sign_in("keycloak"))["id"] == str(user.id)


def test_who_signed_up_first_with_somebody_elses_address_is_locked_out(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    """Pre-hijacking: a password that waits for the owner of the address to sign in with a site."""
    issuer.person = person = somebody()
    made(api, person.email, confirmed=False)

    found = user_of(api, browser.sign_in("keycloak"))

    assert [each["provider"] for each in found["identities"]] == ["keycloak"]
    assert found["app_metadata"] == {"provider": "keycloak", "providers": ["keycloak"]}
    assert not has_password(api, person.email)


@pytest.mark.parametrize("way", ["signup", "otp", "recover"])
def test_who_came_first_by_a_site_that_verifies_nothing_is_locked_out(
    api: World, browser: Browser, issuer: Issuer, way: str
) -> None:
    """Pre-hijacking: an account of another site that waits for the owner of the address to confirm it."""
    issuer.person = eve = somebody(verified=False)
    browser.come_back(browser.leave("keycloak", redirect_to=APP))
    mailed = Mailed(api)
    mailed()
    body = {"email": eve.email, **({"password": "correct horse battery"} if way == "signup" else {})}

    asked = api("POST", f"/auth/v1/{way}", body, key="")
    letter = mailed.one()
    said = {"type": "recovery" if way == "recover" else "email", "email": eve.email, "token": letter.code}
    session = api("POST", "/auth/v1/verify", said, key="")

    assert (asked.status, session.status, letter.to) == (200, 200, eve.email)
    owner = user_of(api, session.json)
    assert [each["provider"] for each in owner["identities"]] == ["email"]
    assert owner["app_metadata"] == {"provider": "email", "providers": ["email"]}
    back = browser.come_back(browser.leave("keycloak", redirect_to=APP))
    assert query(back)["error_code"] == "provider_email_needs_verification"


def test_an_address_that_the_site_has_not_verified_joins_nobody(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    owner = somebody()
    made(api, owner.email)
    issuer.person = Person("kc-eve" + owner.sub, owner.email, verified=False)

    back = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    assert query(back) == {
        "error": "access_denied",
        "error_code": "provider_email_needs_verification",
        "error_description": "Unverified email with keycloak. Verify the email with keycloak in order to sign in",
    }


def test_an_address_that_nobody_has_verified_is_mailed_to(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    issuer.person = person = somebody(verified=False)

    back = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    assert query(back)["error_description"] == (
        "Unverified email with keycloak. A confirmation email has been sent to your keycloak email"
    )
    assert rows(api, b"SELECT purpose FROM one_time_codes WHERE address = %(a)s", a=person.email) == [
        ("signup",)
    ]
    issuer.person = Person(person.sub, person.email)
    assert user_of(api, browser.sign_in("keycloak"))["email_confirmed_at"]


def test_where_nothing_is_confirmed_an_address_joins_nobody(trusting: World, issuer: Issuer) -> None:
    issuer.person = person = somebody()
    made(trusting, person.email)
    browser = Browser(trusting, issuer)

    back = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    assert query(back)["error_code"] == "email_exists"


def test_two_sites_that_have_both_verified_it_are_one_person(trusting: World, issuer: Issuer) -> None:
    issuer.person = person = somebody(more={})
    browser = Browser(trusting, issuer)
    first = user_of(trusting, browser.sign_in("keycloak"))
    number = str(uuid4().int)[:9]
    address = person.email or ""
    issuer.person = Person(number, more={"login": "a"}, emails=((address, True, True),))

    assert user_of(trusting, browser.sign_in("github"))["id"] == first["id"]


def test_of_several_people_with_addresses_of_one_account_none_is_guessed(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    first, second = somebody(), somebody()
    for each in (first, second):
        made(api, each.email)
    emails = (
        (f"main-{first.email}", True, False),
        (first.email or "", False, True),
        (second.email or "", False, True),
    )
    issuer.person = Person(str(uuid4().int)[:9], more={"login": "a"}, emails=emails)

    assert query(browser.come_back(browser.leave("github")))["error_code"] == "conflict"


def test_a_new_person_who_comes_twice_at_once_is_one_user(api: World, issuer: Issuer) -> None:
    issuer.person = person = somebody()

    answers = at_once(6, lambda: Browser(api, issuer).sign_in("keycloak"))

    assert len({user_of(api, each)["id"] for each in answers}) == 1
    assert len(rows(api, b"SELECT id FROM users WHERE email = %(a)s", a=person.email)) == 1


def test_a_banned_user_stays_out(api: World, browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    user = user_of(api, browser.sign_in("keycloak"))
    statement = b"UPDATE users SET banned_until = now() + interval '1 hour' WHERE id = %(id)s"
    People(api).within(lambda tx: tx.execute(statement, {"id": user["id"]}))

    back = browser.come_back(browser.leave("keycloak", redirect_to=APP))

    assert query(back)["error_code"] == "user_banned"


def test_a_person_without_an_address_is_no_new_user(browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody(email=None)

    back = query(browser.come_back(browser.leave("keycloak", redirect_to=APP)))

    assert back["error_description"] == "Error getting user email from external provider"


# Adding accounts.


def goes_to_link(api: World, session: dict[str, str], **asked: str) -> Response:
    parameters = urlencode({"provider": "keycloak", "redirect_to": APP, **asked})
    return api("GET", f"/auth/v1/user/identities/authorize?{parameters}", key=session["access_token"])


def test_somebody_adds_an_account_to_theirs(api: World, browser: Browser, issuer: Issuer) -> None:
    issuer.person = GRACE
    session = browser.sign_in("github")
    before = user_of(api, session)
    issuer.person = added = somebody()

    url = goes_to_link(api, session, skip_http_redirect="true").json["url"]
    back = browser.come_back(url)

    assert "access_token" in fragment(back)
    after = user_of(api, session)
    assert {each["provider"] for each in after["identities"]} == {"github", "keycloak"}
    assert after["email"] == before["email"] and after["user_metadata"] == before["user_metadata"]
    again = browser.come_back(goes_to_link(api, session).headers["location"])
    assert query(again)["error_description"] == "Identity is already linked"
    issuer.person = somebody()
    other = browser.sign_in("keycloak")
    issuer.person = added
    taken = browser.come_back(goes_to_link(api, other).headers["location"])
    assert query(taken)["error_description"] == "Identity is already linked to another user"


def test_who_began_without_saying_who_they_are_gets_a_name(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    people = People(api)
    new = NewUser(is_anonymous=True)
    nobody = people.within(lambda tx: people.accounts.users.create(tx, CALLER, new))
    session = {"access_token": people.signs_in(nobody, "anonymous").access_token}
    issuer.person = person = somebody()

    browser.come_back(goes_to_link(api, session).headers["location"])

    user = user_of(api, session)
    assert (user["email"], user["is_anonymous"]) == (person.email, False)


def test_nobody_adds_an_account_after_signing_out(api: World, browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    session = browser.sign_in("keycloak")
    url = goes_to_link(api, session).headers["location"]
    assert api("POST", "/auth/v1/logout", key=session["access_token"]).status == 204
    issuer.person = somebody()

    assert query(browser.come_back(url))["error_code"] == "session_not_found"


def test_who_has_a_second_factor_shows_it_before_another_account_is_added(
    api: World, browser: Browser, issuer: Issuer
) -> None:
    """Otherwise whoever stole a password would have a way in that outlasts it."""
    owner = people_with_factors.somebody(api)
    enrolled = owner.ok("POST", "/factors", {"factor_type": "totp"})
    challenge = owner.ok("POST", f"/factors/{enrolled['id']}/challenge")["id"]
    code = {"challenge_id": challenge, "code": Authenticator.of(enrolled).code()}
    owner.goes_on(owner.ok("POST", f"/factors/{enrolled['id']}/verify", code))
    thief = owner.another()
    issuer.person = somebody()

    refused = goes_to_link(api, {"access_token": thief.token})

    assert (refused.status, refused.json["error_code"]) == (403, "insufficient_aal")
    url = goes_to_link(api, {"access_token": owner.token}).headers["location"]
    assert "access_token" in fragment(browser.come_back(url))


def test_an_account_is_added_only_where_that_is_allowed(trusting: World, issuer: Issuer) -> None:
    issuer.person = somebody()
    session = Browser(trusting, issuer).sign_in("keycloak")

    refused = goes_to_link(trusting, session)

    assert (refused.status, refused.json["error_code"]) == (404, "manual_linking_disabled")


# ID tokens that an app got itself.


def with_id_token(api: World, token: str, **more: str) -> Response:
    body = {"provider": "keycloak", "id_token": token, **more}
    return api("POST", "/auth/v1/token?grant_type=id_token", body, key="")


def test_an_app_signs_somebody_in_with_an_id_token(api: World, issuer: Issuer) -> None:
    person = somebody()
    nonce = hashlib.sha256(b"app-nonce").hexdigest()

    plain = with_id_token(api, issuer.id_token(person))
    guarded = with_id_token(api, issuer.id_token(person, nonce=nonce), nonce="app-nonce")
    by_issuer = with_id_token(
        api, issuer.id_token(person), provider="", issuer=issuer.issuer, client_id=OIDC_CLIENT
    )

    assert [each.status for each in (plain, guarded, by_issuer)] == [200, 200, 200]
    assert {each.json["user"]["id"] for each in (plain, guarded, by_issuer)} == {plain.json["user"]["id"]}
    assert plain.json["user"]["email"] == person.email


@pytest.mark.parametrize(
    ("claims", "more", "said"),
    [
        ({"aud": "other"}, {}, ("invalid request", "Unacceptable audience in id_token: [other]")),
        ({"exp": 1}, {}, ("invalid request", "Bad ID token")),
        ({"iss": "http://evil.example.com"}, {}, ("invalid request", "Bad ID token")),
        ({"nonce": "x"}, {"nonce": "other"}, ("invalid nonce", "Nonces mismatch")),
        ({"nonce": "é"}, {"nonce": "other"}, ("invalid nonce", "Nonces mismatch")),
        (
            {"nonce": "x"},
            {},
            ("invalid request", "Passed nonce and nonce in id_token should either both exist or not."),
        ),
        (
            {},
            {"provider": ""},
            ("invalid request", "provider or client_id and issuer required"),
        ),
    ],
    ids=str,
)
def test_an_id_token_is_refused(
    api: World, issuer: Issuer, claims: dict[str, Any], more: dict[str, str], said: tuple[str, str]
) -> None:
    answer = with_id_token(api, issuer.id_token(somebody(), **claims), **more)

    assert answer.status == 400
    assert answer.json == {"error": said[0], "error_description": said[1]}


def test_what_is_done_is_recorded_without_secrets(api: World, browser: Browser, issuer: Issuer) -> None:
    issuer.person = somebody()
    browser.sign_in("keycloak")
    with_id_token(api, issuer.id_token(somebody(), exp=1))

    records = json.dumps(api("GET", "/api/audit-logs?limit=50").json)
    assert "auth.sign_in" in records and "auth.sign_in_failed" in records
    kept = json.dumps(rows(api, b"SELECT flow_states::text FROM flow_states"))
    events = json.dumps(rows(api, b"SELECT events::text FROM events"), default=str)
    for secret in (ACCESS_TOKEN, REFRESH_TOKEN, OIDC_SECRET):
        assert secret not in records + kept + events


def test_apps_see_which_sites_are_good_here(api: World) -> None:
    external = api("GET", "/auth/v1/settings", key="").json["external"]

    assert external["github"] and external["keycloak"] and not external["google"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "Unsupported provider: Provider  could not be found"),
        ({"provider": "zzz"}, "Unsupported provider: Provider zzz could not be found"),
        ({"provider": "google"}, "Unsupported provider: provider is not enabled"),
        ({"provider": "email"}, "Unsupported provider: Provider email could not be found"),
        ({"provider": "github", **PKCE, "code_challenge_method": "zzz"}, "Invalid code_challenge_method"),
    ],
)
def test_a_browser_is_not_sent_anywhere(api: World, asked: dict[str, str], message: str) -> None:
    answer = api("GET", f"/auth/v1/authorize?{urlencode(asked)}", key="")

    assert (answer.status, answer.json["error_code"]) == (400, "validation_failed")
    assert answer.json["msg"] == message


def rows(api: World, statement: bytes, **parameters: Any) -> list[tuple[Any, ...]]:
    return People(api).within(lambda tx: tx.tuples(statement, parameters))

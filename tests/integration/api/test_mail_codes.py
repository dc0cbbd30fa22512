"""Links and codes in mail: what they do once, and never twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from ogel.features.accounts.codes.service import MOST_TRIES
from ogel.features.accounts.users.user import User
from ogel.kernel.errors import Unavailable
from ogel.runtime.purge import Purge
from tests.support.mailed import Letter, Mailed
from tests.support.process import Response
from tests.support.world import World

SITE = "https://app.example.com"
VERIFIER = "a-code-verifier-that-is-long-enough-for-anyone"
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "s256"}
ENVIRONMENT = {
    "OGEL_SITE_URL": SITE,
    "OGEL_REDIRECT_URLS": f"{SITE}/**,com.example.app://*",
    "OGEL_AUTH_URL": "https://api.example.com/auth/v1",
    "OGEL_MAIL_FROM": "shop@example.com",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_AUTH_MAIL_SECONDS": "0",
    "OGEL_AUTH_MAILS_TO_ADDRESS": "0",
    "OGEL_RATE_SIGN_IN": "off",
}


@pytest.fixture
def mailed(api: World) -> Mailed:
    seen = Mailed(api)
    seen()
    return seen


class Shop:
    """The dialect, asked without credentials."""

    def __init__(self, api: World, mailed: Mailed) -> None:
        self.api = api
        self._mailed = mailed

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        return self.api(method, f"/auth/v1{path}", body, **{"key": "", **more})

    def mailed(self, path: str, body: Any, **more: Any) -> Letter:
        answer = self("POST", path, body, **more)
        assert answer.status == 200, answer.raw
        return self._mailed.one()

    def verify(self, **body: str) -> Response:
        return self("POST", "/verify", body)

    def follow(self, url: str) -> str:
        """Returns where the link leads."""
        answer = self("GET", f"/verify?{urlsplit(url).query}")
        assert answer.status == 303, answer.raw
        return answer.headers["location"]

    def signed_in(self, email: str) -> dict[str, Any]:
        """The session of somebody whose address is proven."""
        letter = self.mailed("/otp", {"email": email})
        session: dict[str, Any] = self.verify(type="email", email=email, token=letter.code).json
        return session

    def member(self, email: str) -> dict[str, Any]:
        user: dict[str, Any] = self.signed_in(email)["user"]
        return user

    def user(self, email: str) -> User:
        accounts = self.api.platform.features["accounts"].offers

        async def look() -> User:
            async with self.api.platform.core.database.autocommit() as tx:
                found: User = await accounts.user_store.by_email(tx, email)
                return found

        return self.api.run(look())

    def sql(self, statement: str, **parameters: object) -> None:
        async def execute() -> None:
            async with self.api.platform.core.database.autocommit() as tx:
                await tx.execute(statement.encode(), parameters)

        self.api.run(execute())


@pytest.fixture
def shop(api: World, mailed: Mailed) -> Shop:
    return Shop(api, mailed)


def fragment_of(location: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(location).fragment, keep_blank_values=True))


def at_once(count: int, ask: Callable[[], Response]) -> list[Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(), range(count)))


def test_who_is_not_there_is_signed_up_and_in_by_digits(shop: Shop) -> None:
    letter = shop.mailed("/otp", {"email": "Ann@Example.com", "data": {"name": "Ann 😀"}})
    assert (letter.to, letter.template) == ("ann@example.com", "verify_email")
    answer = shop.verify(type="email", email="ANN@example.com", token=letter.code)
    assert answer.status == 200
    user = answer.json["user"]
    assert user["email_confirmed_at"] and user["user_metadata"]["name"] == "Ann 😀"
    assert shop("GET", "/user", key=answer.json["access_token"]).json["id"] == user["id"]
    again = shop.verify(type="email", email="ann@example.com", token=letter.code)
    assert (again.status, again.json["error_code"]) == (403, "otp_expired")


def test_who_signs_up_ten_times_at_once_is_one_person(shop: Shop, mailed: Mailed) -> None:
    answers = at_once(10, lambda: shop("POST", "/otp", {"email": "eager@example.com"}))
    assert {each.status for each in answers} == {200}
    *_, last = mailed()
    assert shop.verify(type="email", email="eager@example.com", token=last.code).status == 200


@pytest.mark.parametrize(
    "asked", ["mi\u212ae@example.com", "mike@exa\uff4dple.com", "MIKE@EXAMPLE.COM", "mike@ex\u00adample.com"]
)
def test_mail_goes_to_the_address_that_is_known_and_not_to_one_that_reads_like_it(
    shop: Shop, mailed: Mailed, asked: str
) -> None:
    """The Kelvin sign is a k in lower case, and full-width letters are plain ones in a domain."""
    shop.member("mike@example.com")
    shop("POST", "/recover", {"email": asked})
    assert {letter.to for letter in mailed()} <= {"mike@example.com"}


@pytest.mark.parametrize("by", ["digits", "hash", "link"])
def test_a_code_used_fifty_times_at_once_is_one_session(shop: Shop, by: str) -> None:
    email = f"race-{by}@example.com"
    shop.member(email)
    letter = shop.mailed("/otp", {"email": email})

    def ask() -> Response:
        if by == "digits":
            return shop.verify(type="magiclink", email=email, token=letter.code)
        if by == "hash":
            return shop.verify(type="magiclink", token_hash=letter.token)
        return shop("GET", f"/verify?{urlsplit(letter.url).query}")

    answers = at_once(50, ask)
    good = [
        each for each in answers if each.status == 200 or "access_token=" in each.headers.get("location", "")
    ]
    assert len(good) == 1


def test_digits_are_guessed_five_times_even_at_once_and_the_link_goes_on_working(shop: Shop) -> None:
    shop.member("guessed@example.com")
    letter = shop.mailed("/recover", {"email": "guessed@example.com"})
    wrong = f"{(int(letter.code) + 1) % 1_000_000:06}"
    answers = at_once(
        MOST_TRIES, lambda: shop.verify(type="recovery", email="guessed@example.com", token=wrong)
    )
    assert {each.status for each in answers} == {403}
    right = shop.verify(type="recovery", email="guessed@example.com", token=letter.code)
    assert (right.status, right.json["error_code"]) == (403, "otp_expired")
    assert shop.verify(type="recovery", token_hash=letter.token).status == 200
    user = shop.user("guessed@example.com")
    records = shop.api.ok("GET", f"/api/audit-logs?user_id={user.id}&action=auth.code_refused")["items"]
    assert len(records) == MOST_TRIES


def test_a_newer_code_takes_the_place_of_the_one_before(shop: Shop) -> None:
    shop.member("newer@example.com")
    first = shop.mailed("/recover", {"email": "newer@example.com"})
    second = shop.mailed("/recover", {"email": "newer@example.com"})
    assert shop.verify(type="recovery", token_hash=first.token).status == 403
    assert shop.verify(type="recovery", token_hash=second.token).status == 200


def test_a_code_that_is_too_old_is_none(shop: Shop) -> None:
    shop.member("late@example.com")
    letter = shop.mailed("/otp", {"email": "late@example.com"})
    shop.sql("UPDATE one_time_codes SET expires_at = now() WHERE address = 'late@example.com'")
    assert shop.verify(type="email", email="late@example.com", token=letter.code).status == 403
    assert fragment_of(shop.follow(letter.url))["error_code"] == "otp_expired"


@pytest.mark.parametrize(
    "token",
    [
        "12345",
        "1234567",
        " 123456",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u0661" * 6,
        "-12345",
        "0x1234",
        "1" * 5000,
        "12345\n",
        "é" * 6,
    ],
)
def test_what_is_no_code_is_an_expired_one(shop: Shop, token: str) -> None:
    answer = shop.verify(type="email", email="nobody@example.com", token=token)
    assert (answer.status, answer.json["error_code"]) == (403, "otp_expired")


def test_asking_only_for_the_head_of_a_link_uses_nothing(shop: Shop) -> None:
    shop.member("head@example.com")
    letter = shop.mailed("/otp", {"email": "head@example.com"})
    answer = shop("HEAD", f"/verify?{urlsplit(letter.url).query}")
    assert (answer.status, "HEAD" in answer.headers["allow"]) == (405, False)
    assert "access_token" in fragment_of(shop.follow(letter.url))


@pytest.mark.parametrize("path", ["/otp", "/magiclink", "/recover", "/resend"])
def test_nobody_learns_who_has_an_account(shop: Shop, mailed: Mailed, path: str) -> None:
    email = f"known{path.replace('/', '-')}@example.com"
    shop.member(email)
    more = {"type": "email_change"} if path == "/resend" else {"create_user": False}
    known, unknown = (shop("POST", path, {"email": each, **more}) for each in (email, "unknown@example.com"))
    assert (known.status, known.json) == (unknown.status, unknown.json) == (200, {})
    assert [letter.to for letter in mailed()] == ([] if path == "/resend" else [email])


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "\\\\evil.example",
        "https://app.example.com@evil.example/",
        "javascript:alert(1)",
        "com.example.other://in",
        "https://app.example.com.evil.example/",
        "https://app.example.com/\r\nset-cookie: a=b",
    ],
)
def test_no_link_leads_where_it_must_not(shop: Shop, to: str) -> None:
    shop.member("led@example.com")
    letter = shop.mailed(f"/otp?{urlencode({'redirect_to': to})}", {"email": "led@example.com"})
    assert parse_qs(urlsplit(letter.url).query)["redirect_to"] == [SITE]
    query = urlencode({"token": letter.token, "type": "magiclink", "redirect_to": to})
    answer = shop("GET", f"/verify?{query}")
    assert answer.headers["location"].startswith(f"{SITE}#access_token=")
    assert "set-cookie" not in answer.headers


def test_a_page_with_its_route_in_the_fragment_and_an_app_get_the_tokens(shop: Shop) -> None:
    shop.member("routed@example.com")
    for to, begin in ((f"{SITE}/#/in", f"{SITE}/#/in&"), ("com.example.app://in", "com.example.app://in#")):
        letter = shop.mailed(f"/otp?{urlencode({'redirect_to': to})}", {"email": "routed@example.com"})
        location = shop.follow(letter.url)
        assert location.startswith(begin)
        assert parse_qs(location.removeprefix(begin))["token_type"] == ["bearer"]


def test_a_pkce_link_gives_a_code_that_only_its_client_can_exchange_once(shop: Shop) -> None:
    shop.member("pkce@example.com")
    letter = shop.mailed(
        f"/otp?{urlencode({'redirect_to': f'{SITE}/in?x=1'})}", {"email": "pkce@example.com", **PKCE}
    )
    assert letter.token.startswith("pkce_")
    query = parse_qs(urlsplit(shop.follow(letter.url)).query)
    assert query["x"] == ["1"]
    [code] = query["code"]

    def exchange(verifier: str) -> Response:
        return shop("POST", "/token?grant_type=pkce", {"auth_code": code, "code_verifier": verifier})

    for wrong in ("x" * 43, VERIFIER + "x", "\x00", "é" * 50, "x" * 5000):
        answer = exchange(wrong)
        assert (answer.status, answer.json["error_code"]) == (400, "bad_code_verifier")
    answers = at_once(20, lambda: exchange(VERIFIER))
    assert sorted(each.status for each in answers) == [200] + [404] * 19
    assert parse_qs(urlsplit(shop.follow(letter.url)).query)["error_code"] == ["otp_expired"]


def test_a_pkce_code_is_exchanged_within_five_minutes(shop: Shop) -> None:
    shop.member("slow@example.com")
    letter = shop.mailed("/recover", {"email": "slow@example.com", **PKCE})
    [code] = parse_qs(urlsplit(shop.follow(letter.url)).query)["code"]
    shop.sql("UPDATE flow_states SET expires_at = now() WHERE code_hash IS NOT NULL")
    answer = shop("POST", "/token?grant_type=pkce", {"auth_code": code, "code_verifier": VERIFIER})
    assert (answer.status, answer.json["error_code"]) == (403, "flow_state_expired")


@pytest.mark.parametrize("way_in", ["/recover", "/otp"])
def test_a_password_that_somebody_else_chose_before_does_not_outlive_the_owners_coming(
    shop: Shop, api: World, way_in: str
) -> None:
    email = f"owner{way_in.replace('/', '-')}@example.com"
    body = {"type": "signup", "email": email, "password": "the squatter's password"}
    assert api("POST", "/auth/v1/admin/generate_link", body).status == 200
    assert shop.user(email).encrypted_password
    letter = shop.mailed(way_in, {"email": email})
    assert shop.verify(type="email", email=email, token=letter.code).status == 200
    assert shop.user(email).encrypted_password is None


def test_a_change_of_address_is_confirmed_from_both_in_any_order(shop: Shop, api: World) -> None:
    for first, second in (("new", "current"), ("current", "new")):
        email, new = f"{first}@old.example.com", f"{first}@new.example.com"
        shop.member(email)
        body = {"email": email, "new_email": new}
        made = {
            which: api("POST", "/auth/v1/admin/generate_link", {"type": f"email_change_{which}", **body}).json
            for which in (first, second)
        }
        answer = shop.verify(type="email_change", token_hash=made[first]["hashed_token"])
        assert answer.json == {
            "code": "200",
            "msg": "Confirmation link accepted. Please proceed to confirm link sent to the other email",
        }
        assert shop.verify(type="email_change", token_hash=made[first]["hashed_token"]).status == 403
        answer = shop.verify(type="email_change", token_hash=made[second]["hashed_token"])
        assert (answer.status, answer.json["user"]["email"]) == (200, new)
        [identity] = answer.json["user"]["identities"]
        assert identity["email"] == new
        # What was sent to the address before does nothing any more.
        assert "new_email" not in answer.json["user"]


def test_both_addresses_are_mailed_and_either_reads_its_own_code(shop: Shop, mailed: Mailed) -> None:
    token = shop.signed_in("moves@example.com")["access_token"]
    query = urlencode({"redirect_to": f"{SITE}/changed"})
    answer = shop("PUT", f"/user?{query}", {"email": "Moved@Example.com"}, key=token)
    assert (answer.status, answer.json["new_email"]) == (200, "moved@example.com")
    letters = {letter.to: letter for letter in mailed()}
    assert {letter.template for letter in letters.values()} == {"email_change"}
    assert "from moves@example.com to moved@example.com" in letters["moves@example.com"].text
    # The code of one address is none of the other's.
    crossed = shop.verify(
        type="email_change", email="moved@example.com", token=letters["moves@example.com"].code
    )
    assert crossed.status == 403
    assert shop("POST", "/resend", {"type": "email_change", "email": "moves@example.com"}).status == 200
    letters = {letter.to: letter for letter in mailed()}
    location = shop.follow(letters["moved@example.com"].url)
    assert fragment_of(location)["message"].startswith("Confirmation link accepted")
    code = letters["moves@example.com"].code
    answer = shop.verify(type="email_change", email="moves@example.com", token=code)
    assert (answer.status, answer.json["user"]["email"]) == (200, "moved@example.com")
    assert shop("GET", "/user", key=token).json["email"] == "moved@example.com"


def test_nobody_learns_by_a_change_that_somebody_has_an_address(shop: Shop, mailed: Mailed) -> None:
    shop.member("has-it@example.com")
    token = shop.signed_in("wants-it@example.com")["access_token"]
    answers = [
        shop("PUT", "/user", {"email": email}, key=token).json
        for email in ("has-it@example.com", "nobody-has-it@example.com")
    ]
    shapes = [{name for name in answer if name != "new_email"} for answer in answers]
    assert shapes[0] == shapes[1]
    assert "has-it@example.com" not in [letter.to for letter in mailed()]
    assert shop.user("wants-it@example.com").email_change == "nobody-has-it@example.com"


def test_a_fault_in_the_middle_leaves_a_code_good(
    shop: Shop, api: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.member("fault@example.com")
    letter = shop.mailed("/otp", {"email": "fault@example.com"})
    sessions = api.platform.features["accounts"].offers.sessions

    async def begin(*_: object) -> None:
        raise Unavailable("The signing keys cannot be read.")

    with monkeypatch.context() as broken:
        broken.setattr(sessions, "begin", begin)
        assert fragment_of(shop.follow(letter.url))["error"] == "temporarily_unavailable"
    assert "access_token" in fragment_of(shop.follow(letter.url))


def test_an_address_that_somebody_else_took_meanwhile_stays_theirs(shop: Shop, api: World) -> None:
    shop.member("mover@example.com")
    body = {"email": "mover@example.com", "new_email": "taken-soon@example.com"}
    links = [
        api("POST", "/auth/v1/admin/generate_link", {"type": f"email_change_{which}", **body}).json
        for which in ("current", "new")
    ]
    owner = shop.member("taken-soon@example.com")
    assert shop.verify(type="email_change", token_hash=links[0]["hashed_token"]).status == 200
    answer = shop.verify(type="email_change", token_hash=links[1]["hashed_token"])
    assert (answer.status, answer.json["error_code"]) == (422, "email_exists")
    assert str(shop.user("taken-soon@example.com").id) == owner["id"]
    assert shop.user("mover@example.com").email == "mover@example.com"


def test_a_change_that_operators_took_back_is_not_confirmed_any_more(shop: Shop, api: World) -> None:
    shop.member("kept@example.com")
    body = {"email": "kept@example.com", "new_email": "not-wanted@example.com"}
    links = [
        api("POST", "/auth/v1/admin/generate_link", {"type": f"email_change_{which}", **body}).json
        for which in ("current", "new")
    ]
    shop.sql("UPDATE users SET email_change = NULL WHERE email = 'kept@example.com'")
    for link in links:
        answer = shop.verify(type="email_change", token_hash=link["hashed_token"])
        assert (answer.status, answer.json["error_code"]) == (403, "otp_expired")


def test_somebody_who_is_banned_gets_no_mail_and_does_not_come_in_by_what_they_have(
    shop: Shop, mailed: Mailed
) -> None:
    shop.member("banned@example.com")
    letter = shop.mailed("/otp", {"email": "banned@example.com"})
    until = datetime.now(UTC) + timedelta(days=1)
    shop.sql("UPDATE users SET banned_until = %(until)s WHERE email = 'banned@example.com'", until=until)
    assert fragment_of(shop.follow(letter.url))["error_code"] == "user_banned"
    assert (
        shop.verify(type="email", email="banned@example.com", token=letter.code).json["error_code"]
        == "user_banned"
    )
    assert shop("POST", "/recover", {"email": "banned@example.com"}).status == 200
    assert mailed() == []


def test_an_invitation_speaks_its_readers_language(shop: Shop, api: World, mailed: Mailed) -> None:
    headers = {"accept-language": "fr;q=0.9, de-AT;q=0.8, en;q=0.1"}
    body = {"email": "gast@example.com", "data": {"team": "Küche", "inviter": "Jürgen"}}
    assert api("POST", "/auth/v1/invite", body, headers=headers).status == 200
    letter = mailed.one()
    assert (letter.template, letter.locale) == ("invitation", "de")
    assert "Jürgen" in letter.text and "Küche" in letter.text
    body = {"email": "guest@example.com", "data": {"locale": "de_DE"}}
    assert api("POST", "/auth/v1/invite", body, headers={"accept-language": "en"}).status == 200
    assert mailed.one().locale == "de"
    answer = shop("POST", "/invite", body)
    assert (answer.status, answer.json["error_code"]) == (401, "no_authorization")


def test_no_code_or_link_stands_where_operators_look(shop: Shop, api: World) -> None:
    letter = shop.mailed("/otp", {"email": "private@example.com"})
    assert shop.verify(type="email", email="private@example.com", token=letter.code).status == 200
    letter = shop.mailed("/recover", {"email": "private@example.com", **PKCE})
    [message] = api.ok("GET", "/api/mail?to=private@example.com&limit=1")["items"]
    shown = [api.ok("GET", f"/api/mail/{message['id']}"), api.ok("GET", "/api/audit-logs?limit=20")]
    shown += [api.ok("GET", "/api/events?limit=20"), api.ok("GET", "/api/jobs?limit=50")]
    text = json.dumps(shown)
    assert letter.token not in text and letter.code not in text
    actions = [each["action"] for each in shown[1]["items"]]
    assert "auth.code_sent" in actions and "auth.code_used" in actions


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b'{"email": 7}',
        b'{"email": null}',
        b'{"email": "a\\u0000@example.com"}',
        b'{"email": "' + b"a" * 5000 + b'@example.com"}',
        b'{"email": "ann@example.com"',
        b"\xff",
        b'{"email": "<ann@example.com>"}',
        b'{"email": "ann@example.com", "code_challenge": {}}',
        b'{"email": "ann@example.com\\nbcc: x@example.com"}',
    ],
)
@pytest.mark.parametrize(
    "path", ["/otp", "/magiclink", "/recover", "/resend", "/verify", "/token?grant_type=pkce"]
)
def test_what_makes_no_sense_is_refused_and_never_a_fault_of_ours(shop: Shop, path: str, body: bytes) -> None:
    answer = shop("POST", path, raw=body)
    assert 400 <= answer.status < 500, (path, body, answer.raw)
    assert answer.json["error_code"]


@pytest.mark.parametrize("data", ["[]", "7", '{"a": "\\u0000"}', '{"a": "\\ud800"}'])
def test_metadata_that_cannot_be_kept_are_refused(shop: Shop, data: str) -> None:
    answer = shop("POST", "/otp", raw=f'{{"email": "data@example.com", "data": {data}}}'.encode())
    assert answer.status in (400, 422)
    assert answer.json["error_code"] in ("bad_json", "validation_failed")


def test_codes_and_flows_that_are_over_are_purged(shop: Shop, api: World) -> None:
    shop.member("purged@example.com")
    shop.mailed("/otp", {"email": "purged@example.com", **PKCE})
    long_ago = datetime.now(UTC) - timedelta(days=2)
    for table in ("one_time_codes", "flow_states"):
        shop.sql(f"UPDATE {table} SET expires_at = %(at)s", at=long_ago)
        [purge] = [each for each in api.platform.features["accounts"].purges if each.name == table]

        async def gone(purge: Purge = purge) -> int:
            async with api.platform.core.database.transaction() as tx:
                before = datetime.now(UTC) - timedelta(days=purge.retention_days)
                counted = await purge.count(tx, before)
                assert counted == (await purge.batch(tx, before, 100)).deleted
                return counted

        assert api.run(gone()) >= 1


def test_what_somebody_says_of_themselves_has_an_end_however_they_come(api: World) -> None:
    much = {"email": "much@example.com", "data": {"much": "x" * 70_000}}

    for path in ("/auth/v1/otp", "/auth/v1/magiclink"):
        answer = api("POST", path, much, key="")
        assert (answer.status, answer.json["error_code"]) == (400, "validation_failed")
    for path, more in (("invite", {}), ("admin/generate_link", {"type": "magiclink"})):
        assert api("POST", f"/auth/v1/{path}", {**much, **more}).status == 400

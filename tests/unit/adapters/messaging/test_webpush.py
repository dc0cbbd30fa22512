"""Web Push: who we say we are, and what push services' answers mean."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ogel.adapters.messaging.vapid import MOST_KEPT, TOKEN_SECONDS, Vapid, new_private_key
from ogel.adapters.messaging.webpush import WebPush
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.egress import EgressError, Exchange
from ogel.runtime.messaging import Gone, Push, Subscription, push_service
from tests.support.carriers import VAPID_PRIVATE, VAPID_SUBJECT, Browser, point, unbase64url
from tests.support.scripted_egress import ScriptedEgress, answer


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def token_of(header: str) -> str:
    return header.removeprefix("vapid t=").partition(",")[0]


def send(*answers: Exchange | EgressError, key: bytes | None = None) -> None:
    browser = Browser()
    to = Subscription("https://push.test/send/1", key or point(browser.key), browser.secret)
    push = WebPush(ScriptedEgress(*answers), Vapid(VAPID_PRIVATE, VAPID_SUBJECT))
    asyncio.run(push.send(Push("msg_1", to, "Hi", "there", {}, 60)))


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (answer(404, b""), "gone"),
        (answer(410, b""), "gone"),
        (answer(413, b""), "final"),
        (answer(400, b""), "final"),
        (answer(403, b""), "final"),
        (answer(403, b"<html><title>Blocked</title>"), "final"),
        (answer(400, {"reason": "BadWebPushTopic"}), "final"),
        (answer(401, b""), "ours"),
        (answer(401, b"\xff\x00" * 9000), "ours"),
        (
            answer(401, {"code": 401, "errno": 109, "error": "Unauthorized", "message": "InvalidSignature"}),
            "ours",
        ),
        (
            answer(
                401,
                {
                    "code": 401,
                    "errno": 109,
                    "message": "Request did not validate missing authorization header",
                },
            ),
            "ours",
        ),
        (answer(403, b"permission denied: invalid JWT provided\n"), "ours"),
        (answer(403, {"reason": "BadJwtToken"}), "ours"),
        (answer(403, {"reason": "ExpiredJwtToken"}), "ours"),
        (answer(400, {"reason": "BadAuthorizationHeader"}), "ours"),
        (answer(403, {"message": "token expired"}), "ours"),
        (answer(403, {"reason": "ExpiredProviderToken"}), "ours"),
        (answer(403, b"invalid claims: exp is too far away"), "ours"),
        (answer(400, b"InvalidTokenFormat"), "final"),
        (answer(403, b"", www_authenticate="vapid"), "ours"),
        (answer(403, [1, {"reason": 7}]), "final"),
        # Of one subscription: others get through.
        (answer(401, {"code": 401, "errno": 109, "message": "VAPID public key mismatch"}), "ours, here"),
        (answer(400, {"reason": "VapidPkHashMismatch"}), "ours, here"),
        (
            answer(400, b"<HTML><TITLE>UnauthorizedRegistration</TITLE><H1>UnauthorizedRegistration</H1>"),
            "ours, here",
        ),
        (
            answer(
                403,
                b"the VAPID credentials in the authorization header do not correspond to the credentials used to"
                b" create the subscriptions.\n",
            ),
            "ours, here",
        ),
        (
            answer(
                403,
                b"the key in the authorization header does not correspond to the sender ID used to subscribe",
            ),
            "ours, here",
        ),
        (answer(403, b"", x_wns_error_description="Channel URL incompatible with caller app"), "ours, here"),
        (answer(301, b""), "final"),
        (answer(429, b""), "again"),
        (answer(500, b""), "again"),
        (EgressError("reset", "cut off"), "again"),
        (EgressError("refused_address", "not allowed"), "final"),
        (EgressError("dns", "no name server", ours=True), "ours"),
    ],
)
def test_what_push_services_answer(answered: Exchange | EgressError, wanted: str) -> None:
    with pytest.raises(ProviderError) as refused:
        send(answered)
    error = refused.value
    found = (
        "gone" if isinstance(error, Gone) else "final" if error.final else "ours" if error.ours else "again"
    )
    assert found + (", here" if error.deferred else "") == wanted


@pytest.mark.parametrize(
    ("answered", "message"),
    [
        (answer(401, b""), "the push service answered 401"),
        (answer(403, {"reason": "BadJwtToken"}), "the push service answered 403: BadJwtToken"),
        (answer(403, b"<html>\n<h1>invalid  JWT</h1>"), "the push service answered 403: invalid JWT"),
        (answer(401, b"", x_wns_error_description="no"), "the push service answered 401: no"),
        (answer(400, {"error": "x"}), "the push service answered 400"),
        (answer(400, b"a\x00b" + b"x" * 5000), "the push service answered 400: a\ufffdb" + "x" * 297),
    ],
)
def test_what_it_says_is_shown(answered: Exchange, message: str) -> None:
    with pytest.raises(ProviderError) as refused:
        send(answered)
    assert refused.value.message == message


@pytest.mark.parametrize(
    "quote", [str, str.lower, json.dumps, lambda sent: base64.b64encode(sent.encode()).decode()]
)
def test_a_token_that_comes_back_is_not_shown(quote: Callable[[str], str]) -> None:
    browser, vapid = Browser(), Vapid(VAPID_PRIVATE, VAPID_SUBJECT)
    header = vapid.authorization("https://push.test")  # it is sent as well
    to = Subscription("https://push.test/send/1", point(browser.key), browser.secret)
    push = WebPush(ScriptedEgress(answer(401, f"no: {quote(header)}".encode())), vapid)
    with pytest.raises(ProviderError) as refused:
        asyncio.run(push.send(Push("msg_1", to, "Hi", "there", {}, 60)))
    message = refused.value.message
    assert "no: " in message and "****" in message
    assert token_of(header).lower() not in message.lower() and quote(header) not in message


def test_a_429_says_for_how_long() -> None:
    with pytest.raises(ProviderError) as refused:
        send(answer(429, b"", retry_after="9"))
    assert refused.value.retry_after_seconds == 9


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one(status: int) -> None:
    send(answer(status, b""))


def test_a_key_that_cannot_be_used_is_final() -> None:
    with pytest.raises(ProviderError) as refused:
        send(answer(201, b""), key=b"\x04" + bytes(64))
    assert refused.value.final


def test_a_token_names_the_service_and_is_used_again() -> None:
    clock = Clock()
    vapid = Vapid(VAPID_PRIVATE, VAPID_SUBJECT, clock)
    first = vapid.authorization("https://push.test")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unbase64url(vapid.public_key))
    options = {"verify_exp": False}
    claims = jwt.decode(token_of(first), key, ["ES256"], audience="https://push.test", options=options)
    assert claims == {
        "aud": "https://push.test",
        "exp": int(clock.now) + TOKEN_SECONDS,
        "sub": VAPID_SUBJECT,
    }
    assert first.endswith(f", k={vapid.public_key}")
    clock.now += TOKEN_SECONDS / 2 - 1
    assert vapid.authorization("https://push.test") == first
    clock.now += 2
    assert vapid.authorization("https://push.test") != first


def test_a_token_that_is_not_accepted_is_used_no_more() -> None:
    browser = Browser()
    to = Subscription("https://push.test/send/1", point(browser.key), browser.secret)
    egress = ScriptedEgress(answer(401, b""), answer(410, b""), answer(201, b""))
    push = WebPush(egress, Vapid(VAPID_PRIVATE, VAPID_SUBJECT))
    for _ in range(2):
        with pytest.raises(ProviderError):
            asyncio.run(push.send(Push("msg_1", to, "Hi", "there", {}, 60)))
    asyncio.run(push.send(Push("msg_1", to, "Hi", "there", {}, 60)))
    refused, second, third = [posted.headers["authorization"] for posted in egress.posted]
    assert refused != second == third


def test_services_that_users_make_up_fill_no_memory() -> None:
    vapid = Vapid(VAPID_PRIVATE, VAPID_SUBJECT)
    for n in range(MOST_KEPT + 20):
        vapid.authorization(f"https://{n}.test")
    assert len(vapid._tokens) == MOST_KEPT


def test_a_new_key_is_a_key() -> None:
    one, other = new_private_key(), new_private_key()
    assert one != other and len(unbase64url(one)) == 32
    assert len(unbase64url(Vapid(one, "").public_key)) == 65


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://push.test/send/1", "https://push.test"),
        ("https://push.test:443/send/1", "https://push.test"),
        ("https://Push.Test:8443/send?x=1", "https://push.test:8443"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]"),
        ("https://push.straße.example:8443/a", "https://push.xn--strae-oqa.example:8443"),
        ("https://ΒΌΛΟΣ。com/a", "https://xn--nxasmq6b.com"),
    ],
)
def test_the_origin_of_a_subscription(endpoint: str, origin: str) -> None:
    assert push_service(endpoint) == origin

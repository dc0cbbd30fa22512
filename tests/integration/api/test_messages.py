"""Messages, devices and subscriptions that are none are refused by field."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.carriers import (
    Browser,
    Carriers,
)
from tests.support.contract import assert_problem
from tests.support.process import Client

ENVIRONMENT = Carriers.environment_at("http://127.0.0.1:1")


def app(api: Client, token: str, **more: Any) -> Any:
    return api.ok("POST", "/api/devices", {"provider": "fcm", "token": token, **more})


def _push_to(to: Any) -> dict[str, Any]:
    return {"channel": "push", "to": to, "title": "a", "body": "b"}


def test_one_device_however_often_it_registers_at_once(api: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: app(api, "eager-app"), range(16)))
    assert len({each["id"] for each in made}) == 1


GOOD_SMS = {"channel": "sms", "to": "+491512345678", "text": "a"}


GOOD_PUSH = _push_to("dev_none")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body.channel"),
        ({**GOOD_SMS, "channel": "fax"}, "body.channel"),
        ({**GOOD_SMS, "to": "0151 2345"}, "body.to"),
        ({**GOOD_SMS, "to": "+0151234567"}, "body.to"),
        ({**GOOD_SMS, "to": "+491512345678\n"}, "body.to"),
        ({**GOOD_SMS, "to": []}, "body.to"),
        ({**GOOD_SMS, "to": ["+491512345678", 7]}, "body.to[1]"),
        ({**GOOD_SMS, "to": ["+491512345678"] * 2}, "body.to[1]"),
        ({**GOOD_SMS, "to": [f"+4915123{n:05}" for n in range(101)]}, "body.to"),
        ({**GOOD_SMS, "text": ""}, "body.text"),
        ({**GOOD_SMS, "text": "x" * 1601}, "body.text"),
        ({**GOOD_SMS, "text": "a\x00b"}, "body.text"),
        ({**GOOD_SMS, "title": "a"}, "body.title"),
        ({**GOOD_SMS, "idempotency_key": ""}, "body.idempotency_key"),
        ({**GOOD_SMS, "idempotency_key": "a\nb"}, "body.idempotency_key"),
        ({**GOOD_PUSH, "to": "dev_none"}, "body.to"),
        ({**GOOD_PUSH, "to": "../x"}, "body.to"),
        ({**GOOD_PUSH, "title": ""}, "body.title"),
        ({**GOOD_PUSH, "body": 7}, "body.body"),
        ({**GOOD_PUSH, "data": {"a": 1}}, "body.data[...]"),
        ({**GOOD_PUSH, "data": {"from": "me"}}, "body.data.from"),
        ({**GOOD_PUSH, "data": {"google.x": "me"}}, "body.data.google.x"),
        ({**GOOD_PUSH, "data": {"a": "\x00"}}, "body.data[...]"),
        ({**GOOD_PUSH, "body": "ü" * 2000}, "body"),
        ({**GOOD_PUSH, "ttl_seconds": -1}, "body.ttl_seconds"),
        ({**GOOD_PUSH, "ttl_seconds": 10**30}, "body.ttl_seconds"),
    ],
)
def test_a_wrong_message_is_refused_by_field(api: Client, body: Any, path: str) -> None:
    assert_problem(api("POST", "/api/messages", body), 422, path)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"endpoint": "ftp://push.example.com/"}, "body.subscription.endpoint"),
        ({"endpoint": "http://169.254.169.254/latest"}, "body.subscription.endpoint"),
        ({"endpoint": "https://redis.railway.internal/x"}, "body.subscription.endpoint"),
        ({"endpoint": "https://redis/x"}, "body.subscription.endpoint"),
        ({"endpoint": "https://xn---bbk.example/x"}, "body.subscription.endpoint"),
        ({"endpoint": "https://push.example.com/\x00"}, "body.subscription.endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "body.subscription.keys.p256dh"),
        ({"keys": {"p256dh": "B" + "A" * 86, "auth": "AAAA"}}, "body.subscription.keys.p256dh"),
        ({"keys": {"auth": "AAAA"}}, "body.subscription.keys.p256dh"),
        ({"keys": {"p256dh": "A+/A", "auth": "AAAA"}}, "body.subscription.keys.p256dh"),
    ],
)
def test_a_wrong_subscription_is_refused_by_field(api: Client, change: Any, path: str) -> None:
    good = Browser().subscription("https://push.example.com/x")
    wanted = {"provider": "webpush", "subscription": {**good, **change}}
    assert_problem(api("POST", "/api/devices", wanted), 422, path)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body.provider"),
        ({"provider": "apns", "token": "a"}, "body.provider"),
        ({"provider": "fcm"}, "body.token"),
        ({"provider": "fcm", "token": "a b"}, "body.token"),
        ({"provider": "fcm", "token": "x" * 4097}, "body.token"),
        ({"provider": "fcm", "token": "a", "subject": "\x00"}, "body.subject"),
        ({"provider": "fcm", "token": "a", "subscription": {}}, "body.subscription"),
    ],
)
def test_a_wrong_device_is_refused_by_field(api: Client, body: Any, path: str) -> None:
    assert_problem(api("POST", "/api/devices", body), 422, path)

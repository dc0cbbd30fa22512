"""FCM: its access token, and what its answers mean."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ogel.adapters.messaging.access_tokens import MARGIN_SECONDS, ServiceAccount
from ogel.adapters.messaging.fcm import QUOTA_SECONDS, Fcm
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.egress import Exchange
from ogel.runtime.messaging import Gone, Push
from tests.support.carriers import service_account
from tests.support.scripted_egress import ScriptedEgress, answer

ACCOUNT = msgspec.convert(service_account("http://google.test"), ServiceAccount)
PUSH = Push("msg_1", "device-token", "Hi", "there", {}, 60)
TAKEN = answer(200, {"name": "projects/shop-1/messages/1"})


def token(name: str = "t1", expires_in: int = 3600) -> Exchange:
    return answer(200, {"access_token": name, "expires_in": expires_in, "token_type": "Bearer"})


def error(status: int, word: str, code: str | None = None, **headers: str) -> Exchange:
    details: list[Any] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []}]
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": code})
    told = {"code": status, "message": "no", "status": word, "details": details}
    return answer(status, {"error": told}, **headers)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def fcm(egress: ScriptedEgress, clock: Clock | None = None, account: ServiceAccount = ACCOUNT) -> Fcm:
    return Fcm(egress, "https://fcm.test/", account, clock or Clock())


def refusal(*answers: Exchange) -> ProviderError:
    with pytest.raises(ProviderError) as refused:
        asyncio.run(fcm(ScriptedEgress(token(), *answers)).send(PUSH))
    return refused.value


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (error(404, "NOT_FOUND", "UNREGISTERED"), "gone"),
        (error(404, "NOT_FOUND"), "gone"),
        (
            answer(404, {"error": {"status": "NOT_FOUND", "message": "Project 'x' not found or deleted."}}),
            "ours",
        ),
        (answer(404, b"<html>not here</html>"), "ours"),
        (error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), "final"),
        (error(400, "INVALID_ARGUMENT"), "final"),
        (error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), "final"),
        (error(403, "PERMISSION_DENIED"), "ours"),
        (error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), "ours, here"),
        (error(500, "INTERNAL", "INTERNAL"), "again"),
        (error(503, "UNAVAILABLE", "UNAVAILABLE"), "again"),
        (answer(503, b"<html>"), "again"),
        (answer(302, b""), "ours"),
    ],
)
def test_what_fcm_answers(answered: Exchange, wanted: str) -> None:
    refused = refusal(answered)
    found = (
        "gone"
        if isinstance(refused, Gone)
        else "final"
        if refused.final
        else "ours"
        if refused.ours
        else "again"
    )
    assert found + (", here" if refused.deferred else "") == wanted
    assert "device-token" not in refused.message


def test_a_quota_says_for_how_long() -> None:
    asked = error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", retry_after="17")
    assert refusal(asked).retry_after_seconds == 17
    assert refusal(error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")).retry_after_seconds == QUOTA_SECONDS


def test_a_token_serves_until_shortly_before_its_end() -> None:
    clock, egress = Clock(), ScriptedEgress(token("t1"), TAKEN, TAKEN, token("t2"), TAKEN)

    async def story() -> None:
        sender = fcm(egress, clock)
        await sender.send(PUSH)
        clock.now += 3600 - MARGIN_SECONDS - 1
        await sender.send(PUSH)
        clock.now += 2
        await sender.send(PUSH)

    asyncio.run(story())
    used = [each.headers["authorization"] for each in egress.posted if "fcm.test" in each.url]
    assert used == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_many_wait_for_one_token() -> None:
    egress = ScriptedEgress(token("t1"), TAKEN)

    async def story() -> None:
        sender = fcm(egress)
        await asyncio.gather(*(sender.send(PUSH) for _ in range(20)))

    asyncio.run(story())
    assert sum("fcm.test" not in each.url for each in egress.posted) == 1


def test_a_token_that_is_refused_is_replaced_once() -> None:
    denied = error(401, "UNAUTHENTICATED")
    egress = ScriptedEgress(token("t1"), denied, token("t2"), TAKEN)
    assert asyncio.run(fcm(egress).send(PUSH)) == "projects/shop-1/messages/1"
    egress = ScriptedEgress(token("t1"), denied, token("t2"), denied)
    with pytest.raises(ProviderError) as refused:
        asyncio.run(fcm(egress).send(PUSH))
    assert refused.value.ours
    assert len(egress.posted) == 4


@pytest.mark.parametrize(
    ("answered", "ours"),
    [
        (answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}), True),
        (answer(401, b"<html>"), True),
        (answer(200, b"<html>"), True),
        (answer(503, b""), False),
    ],
)
def test_no_token_no_push(answered: Exchange, ours: bool) -> None:
    with pytest.raises(ProviderError) as refused:
        asyncio.run(fcm(ScriptedEgress(answered)).send(PUSH))
    assert refused.value.ours is ours and not refused.value.final


def test_a_key_that_is_none_is_our_fault_and_not_shown() -> None:
    account = msgspec.structs.replace(ACCOUNT, private_key="-----BEGIN PRIVATE KEY-----\nAAAA\n")
    with pytest.raises(ProviderError) as refused:
        asyncio.run(fcm(ScriptedEgress(token()), account=account).send(PUSH))
    assert refused.value.ours
    assert "AAAA" not in refused.value.message

"""What Twilio and Vonage answer, and what that means: for the message, for us, for the next try."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest

from ogel.adapters.messaging.twilio import Twilio
from ogel.adapters.messaging.vonage import Vonage
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.egress import EgressError, Exchange
from ogel.runtime.messaging import Sms
from tests.support.scripted_egress import ScriptedEgress, answer

SMS = Sms("msg_1", "+4915112345678", "hello")


def twilio(egress: ScriptedEgress) -> Twilio:
    return Twilio(egress, "https://twilio.test/", "AC1", "token", "+15005550006")


def vonage(egress: ScriptedEgress) -> Vonage:
    return Vonage(egress, "https://vonage.test", "key", "secret", "Ogel")


def refusal(provider: Twilio | Vonage) -> ProviderError:
    with pytest.raises(ProviderError) as refused:
        asyncio.run(provider.send(SMS))
    return refused.value


def verdict(error: ProviderError) -> str:
    marks = [name for name in ("final", "ours", "deferred") if getattr(error, name)]
    assert len(marks) <= 1
    return marks[0] if marks else "again"


def parts(*statuses: str) -> Exchange:
    messages = [
        {"status": each, "message-id": f"V{n}", "error-text": "no"} for n, each in enumerate(statuses)
    ]
    return answer(200, {"message-count": str(len(messages)), "messages": messages})


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (answer(400, {"code": 21211, "message": "invalid To"}), "final"),
        (answer(400, {"code": 21614, "message": "no mobile number"}), "final"),
        (answer(400, {"code": 21610, "message": "unsubscribed"}), "final"),
        (answer(400, {"code": 21617, "message": "too long"}), "final"),
        (answer(400, {"code": 21635, "message": "a landline"}), "final"),
        (answer(400, {"code": 30002, "message": "account suspended"}), "ours"),
        (answer(429, {"code": 63038, "message": "daily limit of the account exceeded"}), "ours"),
        (answer(400, {"code": 30034, "message": "From is not registered"}), "ours"),
        (answer(400, {"code": 21607, "message": "From cannot send SMS"}), "ours"),
        (answer(403, {"code": 20009, "message": "not allowed"}), "ours"),
        (answer(400, {"code": 21611, "message": "queue of From is full"}), "again"),
        (answer(400, {"code": 21704, "message": "no sender for there"}), "ours"),
        (answer(400, {"code": 99999, "message": "something new"}), "deferred"),
        (answer(400, {"code": 21606, "message": "not our number"}), "ours"),
        (answer(400, {"code": 21661, "message": "our number sends no SMS"}), "ours"),
        (answer(400, {"code": 21705, "message": "no such messaging service"}), "ours"),
        (answer(400, {"code": 63007, "message": "no such sender"}), "ours"),
        (answer(401, {"code": 20104, "message": "access expired"}), "ours"),
        (answer(400, {"code": 21611, "message": "too many texts wait"}), "again"),
        (answer(400, {"code": 14107, "message": "too many texts a second"}), "again"),
        (answer(400, {"code": 21219, "message": "unverified, on trial"}), "deferred"),
        (answer(400, {"code": 21408, "message": "region not enabled"}), "deferred"),
        (answer(403, {"code": 21408, "message": "region not enabled"}), "deferred"),
        (answer(400, {"code": 21608, "message": "unverified, on trial"}), "deferred"),
        (answer(400, {"code": 21612, "message": "no route"}), "deferred"),
        (answer(401, {"code": 20003, "message": "authenticate"}), "ours"),
        (answer(404, {"code": 20404, "message": "no such account"}), "ours"),
        (answer(403, b"<html>"), "ours"),
        (answer(400, b"<html>"), "ours"),
        (answer(302, b""), "ours"),
        (answer(429, {"code": 20429, "message": "too many"}), "again"),
        (answer(500, b"oops"), "again"),
        (answer(503, {"code": 20503, "message": "unavailable"}), "again"),
        (answer(429, b"[" * 100_000), "again"),
        (EgressError("timeout", "no answer"), "again"),
        (EgressError("dns", "no name server", ours=True), "ours"),
    ],
)
def test_what_twilio_answers(answered: Exchange | EgressError, wanted: str) -> None:
    error = refusal(twilio(ScriptedEgress(answered)))
    assert verdict(error) == wanted
    assert "token" not in error.message and "\x00" not in error.message


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        *((each, "again") for each in ("1", "5", "10")),
        *((each, "ours") for each in ("4", "8", "9", "11", "14", "32")),
        *((each, "deferred") for each in ("15", "29", "99", "")),
        *((each, "final") for each in ("2", "3", "6", "7", "12", "22", "33")),
    ],
)
def test_what_vonage_answers(status: str, wanted: str) -> None:
    assert verdict(refusal(vonage(ScriptedEgress(parts(status))))) == wanted


@pytest.mark.parametrize("text", ["Missing from param", "Invalid from param", "Missing api_key"])
def test_vonage_misses_what_our_settings_say(text: str) -> None:
    refused = answer(200, {"messages": [{"status": "2", "error-text": text}]})
    assert verdict(refusal(vonage(ScriptedEgress(refused)))) == "ours"


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (answer(401, b""), "ours"),
        (answer(429, b""), "again"),
        (answer(502, b"<html>"), "again"),
        (answer(200, b"<html>"), "again"),
        (answer(200, {"messages": []}), "again"),
    ],
)
def test_what_stands_before_vonage_answers(answered: Exchange, wanted: str) -> None:
    assert verdict(refusal(vonage(ScriptedEgress(answered)))) == wanted


def test_a_long_text_is_not_sent_while_a_part_is_missing() -> None:
    assert verdict(refusal(vonage(ScriptedEgress(parts("0", "1"))))) == "again"
    assert asyncio.run(vonage(ScriptedEgress(parts("0", "0"))).send(SMS)) == "V0"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("hello [€]", "text"), ("ÄÖÜ äöüß", "text"), ("`", "unicode"), ("ë", "unicode"), ("🎉", "unicode")],
)
def test_texts_beyond_the_gsm_alphabet_are_unicode(text: str, kind: str) -> None:
    egress = ScriptedEgress(parts("0"))
    asyncio.run(vonage(egress).send(Sms("msg_1", "+4915112345678", text)))
    form = parse_qs(egress.posted[0].body.decode())
    assert (form["type"], form["text"], form["to"]) == ([kind], [text], ["4915112345678"])


def test_a_messaging_service_stands_for_a_number() -> None:
    egress = ScriptedEgress(answer(201, b"taken, and unreadable"))
    provider = Twilio(egress, "https://twilio.test", "AC/1", "token", "MG1")
    assert asyncio.run(provider.send(SMS)) is None
    assert egress.posted[0].url == "https://twilio.test/2010-04-01/Accounts/AC%2F1/Messages.json"
    form = parse_qs(egress.posted[0].body.decode())
    assert form == {"To": ["+4915112345678"], "MessagingServiceSid": ["MG1"], "Body": ["hello"]}


def test_retry_after_is_honoured() -> None:
    busy = answer(429, {"code": 20429}, retry_after="7")
    assert refusal(twilio(ScriptedEgress(busy))).retry_after_seconds == 7.0

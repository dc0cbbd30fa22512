"""Providers that repeat what we sent them: nothing of our secrets is shown, however they quote it."""

from __future__ import annotations

import asyncio
import base64
import html
import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from ogel.adapters.mail.resend import ResendProvider
from ogel.adapters.messaging.access_tokens import ServiceAccount
from ogel.adapters.messaging.fcm import Fcm
from ogel.adapters.messaging.twilio import Twilio
from ogel.adapters.messaging.vonage import Vonage
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.egress import Exchange, Headers
from ogel.runtime.messaging import Push, Sms
from ogel.runtime.secrets.scrub import MASK
from tests.support.carriers import service_account
from tests.support.mail import LETTER
from tests.support.scripted_egress import Posted, ScriptedEgress, answer

SECRET, SID = "s3cr3t/of+ours=", "AC0123456789abcdef"
ACCOUNT = msgspec.convert(service_account("http://google.test"), ServiceAccount)
SMS, PUSH = Sms("msg_1", "+4915112345678", "hello"), Push("msg_1", "device", "Hi", "there", {}, 60)


class Echo(ScriptedEgress):
    """Says what it was sent, in the words of one of them; the first answers are as scripted."""

    def __init__(self, words: Callable[[str], Exchange], *answers: Exchange) -> None:
        super().__init__(*answers, answer(500))
        self._words = words
        self._first = len(answers)

    def answered(self, url: str, headers: Headers, body: bytes) -> Exchange:
        scripted = super().answered(url, headers, body)
        return scripted if len(self.posted) <= self._first else self._words(quoted(self.posted[-1]))


def quoted(sent: Posted) -> str:
    return f"{sent.body.decode(errors='replace')[:50]} {sent.headers.get('authorization', '')} {SECRET}"


Send = Callable[[ScriptedEgress], Coroutine[Any, Any, object]]
PROVIDERS: dict[str, tuple[Send, Callable[[str], Exchange], list[Exchange]]] = {
    "resend": (
        lambda egress: ResendProvider(egress, SECRET, "https://resend.test", 1.0).send(LETTER),
        lambda said: answer(422, {"name": "validation_error", "message": said}),
        [],
    ),
    "twilio": (
        lambda egress: Twilio(egress, "https://twilio.test", SID, SECRET, "+1").send(SMS),
        lambda said: answer(400, {"code": 21211, "message": said}),
        [],
    ),
    "vonage": (
        lambda egress: Vonage(egress, "https://vonage.test", SID, SECRET, "Ogel").send(SMS),
        lambda said: answer(200, {"messages": [{"status": "3", "error-text": said}]}),
        [],
    ),
    "fcm": (
        lambda egress: Fcm(egress, "https://fcm.test", ACCOUNT).send(PUSH),
        lambda said: answer(400, {"error": {"status": "INVALID_ARGUMENT", "message": said}}),
        [answer(200, {"access_token": SECRET, "expires_in": 3600})],
    ),
    "google": (
        lambda egress: Fcm(egress, "https://fcm.test", replace_key(SECRET)).send(PUSH),
        lambda said: answer(400, {"error": "invalid_grant", "error_description": said}),
        [],
    ),
}
WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda said: quote(said, safe=""),
    "json": json.dumps,
    "html": html.escape,
    "base64": lambda said: base64.b64encode(said.encode()).decode(),
    "base64url": lambda said: base64.urlsafe_b64encode(said.encode()).decode(),
    "hex": lambda said: said.encode().hex(),
}


def replace_key(more: str) -> ServiceAccount:
    """The key is good, and its file has a line more."""
    return msgspec.structs.replace(ACCOUNT, private_key=f"{ACCOUNT.private_key}\n{more}\n")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_repeats_a_secret(provider: str, way: str) -> None:
    send, words, first = PROVIDERS[provider]
    egress = Echo(lambda said: words(WAYS[way](said)), *first)
    with pytest.raises(ProviderError) as refused:
        asyncio.run(send(egress))
    message = refused.value.message
    sent = egress.posted[-1]
    credentials = sent.headers.get("authorization", " ").split(" ")[1]
    for secret in filter(None, (SECRET, credentials, SID if provider in ("twilio", "vonage") else "")):
        for form in (secret, *(write(secret) for write in WAYS.values())):
            assert form.strip("=").lower() not in message.lower()
    assert MASK in message


def test_an_id_that_is_a_secret() -> None:
    taken = answer(200, {"id": SECRET})
    receipt = asyncio.run(
        ResendProvider(ScriptedEgress(taken), SECRET, "https://resend.test", 1.0).send(LETTER)
    )
    assert receipt.id == MASK
    for long in ("x" * 290, "x" * 299):
        said = answer(422, {"name": "validation_error", "message": long + SECRET})
        with pytest.raises(ProviderError) as refused:
            asyncio.run(ResendProvider(ScriptedEgress(said), SECRET, "https://resend.test", 1.0).send(LETTER))
        assert SECRET[:4] not in refused.value.message

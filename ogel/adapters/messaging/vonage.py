"""SMS by Vonage's SMS API: https://developer.vonage.com/en/api/sms"""

from __future__ import annotations

import re

from msgspec import Struct, field

from ogel.runtime.delivery.provider_calls import post_form, read, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import Exchange
from ogel.runtime.messaging import Sms
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

_TAKEN = "0"
# Wrong credentials, account barred, no credit, not enabled for HTTP, wrong signature, signature and secret at once.
_OURS = frozenset({"4", "8", "9", "11", "14", "32"})
# About this number or this text: a parameter that is missing or wrong, a message that is none, a number that is barred,
# a text too long, no such network, a number that is not in use. What else there is (15: a sender that is not allowed
# there, 29: a demo account that may text the numbers on its list only), another provider may do.
_FINAL = frozenset({"2", "3", "6", "7", "12", "22", "33"})
# Of 2 and 3, when they name a parameter that comes from our settings.
_OF_SETTINGS = re.compile(r"\b(api_key|api_secret|username|password|from|callback|sig)\b", re.IGNORECASE)
# Throttled, internal error, too many connections.
_AGAIN = frozenset({"1", "5", "10"})

# 3GPP TS 23.038 §6.2.1. With any other character an SMS must be sent as Unicode, or it arrives with question marks.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)


class _Part(Struct, rename="kebab"):
    status: str = ""
    message_id: str | None = None
    error_text: str = ""


class _Parts(Struct):
    messages: list[_Part] = field(default_factory=list)


class Vonage:
    """`sender` is a number or an alphanumeric sender id."""

    def __init__(self, outgoing: Outgoing, base_url: str, api_key: str, api_secret: str, sender: str) -> None:
        self._outgoing = outgoing
        self._url = f"{base_url.rstrip('/')}/sms/json"
        self._credentials = {"api_key": api_key, "api_secret": api_secret}
        self._scrub = Scrubber([api_key, api_secret])
        self._sender = sender

    async def send(self, sms: Sms, /) -> str | None:
        form = {
            **self._credentials,
            "to": sms.to.removeprefix("+"),
            "from": self._sender,
            "text": sms.text,
            "type": "text" if _GSM.issuperset(sms.text) else "unicode",
            "client-ref": sms.id,
        }
        answer = await post_form(self._outgoing, self._url, (), form)
        if answer.status != 200:
            raise _failed(answer)
        answered = read(answer, _Parts)
        if answered is None or not answered.messages:
            raise ProviderError("Vonage answered 200, and nothing that can be understood")
        # A long text is several parts; one that is not taken leaves the text incomplete.
        refused = next((part for part in answered.messages if part.status != _TAKEN), None)
        if refused is not None:
            raise _refused(refused, self._scrub)
        id = answered.messages[0].message_id
        return shown(id, self._scrub) if id else None


def _refused(part: _Part, scrub: Scrubber) -> ProviderError:
    message = f"Vonage answered status {shown(part.status, scrub)}: {shown(part.error_text, scrub)}"
    if part.status in _AGAIN:
        return ProviderError(message)
    if part.status in _OURS or (part.status in ("2", "3") and _OF_SETTINGS.search(part.error_text)):
        return ProviderError(message, ours=True)
    is_final = part.status in _FINAL
    return ProviderError(message, final=is_final, deferred=not is_final)


def _failed(answer: Exchange) -> ProviderError:
    message = f"Vonage answered {answer.status}"
    if answer.status == 429 or answer.status >= 500:
        return ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
    return ProviderError(message, ours=True)

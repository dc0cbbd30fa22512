"""SMS by Twilio: https://www.twilio.com/docs/messaging/api/message-resource"""

from __future__ import annotations

import base64
from urllib.parse import quote

from msgspec import Struct

from ogel.runtime.egress import Egress, Exchange
from ogel.runtime.messaging import Sms
from ogel.runtime.provider_calls import post_form, read, shown
from ogel.runtime.providers import ProviderError
from ogel.runtime.retry_after import retry_after_seconds

# About our account and our sender, whatever was to be sent.
_OURS = frozenset(
    {
        20003,  # wrong credentials, or no money left
        20005,  # the account is not active
        20008,  # test credentials
        21210,  # From is not verified
        21212,  # the From number is none
        21603,  # From is missing
        21606,  # From is not ours, or cannot send SMS
        21659,  # From is not a Twilio number
        21660,  # From belongs to another account
        21661,  # From cannot send SMS
        21701,  # the messaging service is not there
        21703,  # the messaging service has no numbers
        21704,  # the messaging service has no numbers, either
        21705,  # the messaging service's id is none
        63007,  # From is no sender of this channel
    }
)
# About what our account may send to there, or from this sender: nothing is wrong with the number.
_NOT_THERE = frozenset(
    {
        21219,  # a trial account: verified numbers only
        21408,  # the account's geographic permissions leave out this region
        21608,  # a trial account, or one without an approved profile: verified numbers only
        21612,  # no route from our sender to this number
    }
)
# Requests, texts a second, texts that wait for From.
_TOO_MANY = frozenset({20429, 14107, 21611})


class _Taken(Struct):
    sid: str | None = None


class _Refusal(Struct):
    code: int | None = None
    message: str = ""


class Twilio:
    """`sender` is a number, an alphanumeric sender id, or the id of a messaging service (`MG…`)."""

    def __init__(self, egress: Egress, base_url: str, account_sid: str, auth_token: str, sender: str) -> None:
        self._egress = egress
        self._url = f"{base_url.rstrip('/')}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Messages.json"
        credentials = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._headers = [("Authorization", f"Basic {credentials}")]
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}

    async def send(self, sms: Sms, /) -> str | None:
        form = {"To": sms.to, **self._sender, "Body": sms.text}
        answer = await post_form(self._egress, self._url, self._headers, form, pool_key="twilio")
        if 200 <= answer.status < 300:
            taken = read(answer, _Taken)
            return shown(taken.sid) if taken and taken.sid else None
        raise _refused(answer)


def _refused(answer: Exchange) -> ProviderError:
    refusal = read(answer, _Refusal) or _Refusal()
    status, code = answer.status, refusal.code
    words = f"{status}" if code is None else f"{status}, code {code}: {shown(refusal.message)}"
    message = f"Twilio answered {words}"
    if status == 429 or code in _TOO_MANY or status >= 500:
        return ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
    if code in _NOT_THERE:
        return ProviderError(message, deferred=True)
    # A status of 400 without a code of theirs is not known to be about this message: something stands between us.
    if code in _OURS or code is None or status in (401, 403, 404):
        return ProviderError(message, ours=True)
    return ProviderError(message, final=True)

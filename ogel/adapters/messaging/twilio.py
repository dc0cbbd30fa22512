"""SMS by Twilio: https://www.twilio.com/docs/messaging/api/message-resource"""

from __future__ import annotations

import base64
from urllib.parse import quote

from msgspec import Struct

from ogel.runtime.delivery.provider_calls import post_form, read, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import Exchange
from ogel.runtime.messaging import Sms
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

# https://www.twilio.com/docs/api/errors. About our account and our sender, whatever was to be sent.
_OURS = frozenset(
    {
        10001,  # the account is not active
        20003,  # wrong credentials, or no money left
        20005,  # the account is not active
        20006,  # access denied
        20008,  # test credentials
        21210,  # From is not verified
        21212,  # the From number is none
        21603,  # From is missing
        21606,  # From is not ours, or cannot send SMS
        21607,  # From is not for SMS
        21659,  # From is not a Twilio number
        21660,  # From belongs to another account
        21661,  # From cannot send SMS
        21701,  # the messaging service is not there
        21703,  # the messaging service has no numbers
        21704,  # the messaging service has no numbers, either
        21705,  # the messaging service's id is none
        30002,  # the account is suspended
        30023,  # the day's messages of our brand are used up
        30032,  # our toll-free number is not verified
        30034,  # our number is not registered
        63007,  # From is no sender of this channel
        63038,  # the day's messages of our account are used up
    }
)
# About this number or this text: nobody else could send it either.
_FINAL = frozenset(
    {
        21211,  # To is no number
        21214,  # To cannot be reached
        21217,  # To does not look like a number
        21266,  # To is From
        21421,  # To is no number
        21602,  # no text
        21604,  # To is missing
        21605,  # the text is too long
        21610,  # To has unsubscribed
        21614,  # To is no mobile number
        21617,  # the text is too long
        21619,  # no text
        21635,  # To is a landline
    }
)
# Requests, texts a second, texts that wait for From, for our account, for a network.
_TOO_MANY = frozenset({14107, 20429, 21611, 30001, 30022})


class _Taken(Struct):
    sid: str | None = None


class _Refusal(Struct):
    code: int | None = None
    message: str = ""


class Twilio:
    """`sender` is a number, an alphanumeric sender id, or the id of a messaging service (`MG…`)."""

    def __init__(
        self, outgoing: Outgoing, base_url: str, account_sid: str, auth_token: str, sender: str
    ) -> None:
        self._outgoing = outgoing
        self._url = f"{base_url.rstrip('/')}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Messages.json"
        credentials = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._scrub = Scrubber([account_sid, auth_token, credentials])
        self._headers = [("Authorization", f"Basic {credentials}")]
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}

    async def send(self, sms: Sms, /) -> str | None:
        form = {"To": sms.to, **self._sender, "Body": sms.text}
        answer = await post_form(self._outgoing, self._url, self._headers, form)
        if 200 <= answer.status < 300:
            taken = read(answer, _Taken)
            return shown(taken.sid, self._scrub) if taken and taken.sid else None
        raise _refused(answer, self._scrub)


def _refused(answer: Exchange, scrub: Scrubber) -> ProviderError:
    refusal = read(answer, _Refusal) or _Refusal()
    status, code = answer.status, refusal.code
    words = f"{status}" if code is None else f"{status}, code {code}: {shown(refusal.message, scrub)}"
    message = f"Twilio answered {words}"
    # A status of 400 without a code of theirs is not known to be about this message: something stands between us.
    if code in _OURS or (code is None and 300 <= status < 500 and status != 429):
        return ProviderError(message, ours=True)
    if status == 429 or code in _TOO_MANY or status >= 500:
        return ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
    if code in _FINAL:
        return ProviderError(message, final=True)
    # 21219, 21408, 21608, 21612 …: what our account may send to there, or from this sender. The number may be well.
    about_the_request = code is not None and 21000 <= code < 22000
    ours = status in (401, 403, 404) and not about_the_request
    return ProviderError(message, ours=ours, deferred=not ours)

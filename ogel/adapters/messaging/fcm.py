"""Push by Firebase Cloud Messaging, HTTP v1: https://firebase.google.com/docs/cloud-messaging/send/v1-api"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from ogel.adapters.messaging.access_tokens import AccessTokens, ServiceAccount
from ogel.runtime.delivery.provider_calls import post, read, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import Exchange
from ogel.runtime.messaging import Gone, Push
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

# The wait that Google recommends after a used-up quota without Retry-After.
QUOTA_SECONDS = 60.0
_ERROR_TYPE = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
# A 401, too, but about the key of one platform that Firebase keeps; the other platforms go on.
_THIRD_PARTY = "THIRD_PARTY_AUTH_ERROR"
# The request is wrong, or the token is of another sender: about this device alone.
_FINAL = frozenset({"INVALID_ARGUMENT", "SENDER_ID_MISMATCH"})


class _Detail(Struct):
    type: str = field(name="@type", default="")
    code: str = field(name="errorCode", default="")


class _Error(Struct):
    status: str = ""
    message: str = ""
    details: list[_Detail] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Returns FCM's error code, or else Google's."""
        return next((each.code for each in self.details if each.type == _ERROR_TYPE), "") or self.status


class _Refusal(Struct):
    error: _Error = field(default_factory=_Error)


class _Taken(Struct):
    name: str | None = None


class Fcm:
    def __init__(
        self,
        outgoing: Outgoing,
        base_url: str,
        account: ServiceAccount,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outgoing = outgoing
        project = quote(account.project_id, safe="")
        self._url = f"{base_url.rstrip('/')}/v1/projects/{project}/messages:send"
        self._tokens = AccessTokens(outgoing, account, clock)
        self._clock = clock

    async def send(self, push: Push[str], /) -> str | None:
        body = msgspec.json.encode({"message": self._message(push)})
        answer = await self._post(body)
        if _is_token_refused(answer):  # it may have been revoked before its time
            answer = await self._post(body)
        if answer.status == 200:
            taken = read(answer, _Taken)
            return shown(taken.name, self._tokens.scrub) if taken and taken.name else None
        raise _refused(answer, self._tokens.scrub)

    async def _post(self, body: bytes) -> Exchange:
        token = await self._tokens.current()
        headers = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
        answer = await post(self._outgoing, self._url, headers, body)
        if _is_token_refused(answer):
            self._tokens.forget(token)
        return answer

    def _message(self, push: Push[str]) -> dict[str, Any]:
        """Builds a message. Each platform has its own field for the message's lifetime."""
        ends_at = int(self._clock()) + push.ttl_seconds if push.ttl_seconds else 0
        return {
            "token": push.to,
            "notification": {"title": push.title, "body": push.body},
            "data": push.data,
            "android": {"ttl": f"{push.ttl_seconds}s"},
            "apns": {"headers": {"apns-expiration": str(ends_at)}},
            "webpush": {"headers": {"TTL": str(push.ttl_seconds)}},
        }


def _is_token_refused(answer: Exchange) -> bool:
    return answer.status == 401 and _error(answer).code != _THIRD_PARTY


def _error(answer: Exchange) -> _Error:
    return (read(answer, _Refusal) or _Refusal()).error


def _refused(answer: Exchange, scrub: Scrubber) -> ProviderError:
    refusal = _error(answer)
    status, code = answer.status, refusal.code
    message = f"FCM answered {status} {shown(code, scrub)}".rstrip()
    if refusal.message:
        message += f": {shown(refusal.message, scrub)}"
    # A 404 without an FCM error means a wrong URL of ours, and says nothing about the device.
    ours = "project" in refusal.message.lower()  # "Project … not found": no device is gone for that
    if code == "UNREGISTERED" or (status == 404 and code == "NOT_FOUND" and not ours):
        return Gone(message)
    if code == "QUOTA_EXCEEDED" or status == 429:
        asked = retry_after_seconds(answer)
        return ProviderError(message, retry_after_seconds=QUOTA_SECONDS if asked is None else asked)
    if code in _FINAL:
        return ProviderError(message, final=True)
    if code == _THIRD_PARTY:
        return ProviderError(message, ours=True, deferred=True)
    if status >= 500:
        return ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
    return ProviderError(message, ours=True)

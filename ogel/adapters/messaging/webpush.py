"""Web Push to browsers (RFC 8030), through whatever push service the subscription names."""

from __future__ import annotations

import re
from typing import Any

from ogel.adapters.messaging.encryption import encrypt
from ogel.adapters.messaging.vapid import Vapid
from ogel.runtime.delivery.provider_calls import post_guarded, read, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import Egress, Exchange
from ogel.runtime.messaging import Gone, Push, Subscription, push_payload, push_service
from ogel.runtime.secrets.scrub import Scrubber

_GONE = (404, 410)
_TOPIC_CHARACTERS = 32
# RFC 8292 §4.2 has 401 where a token is missing and 403 where it is wrong; some have 400 for either.
# How a token is named: "permission denied: invalid JWT provided" (Google), "BadJwtToken" (Apple), … Of a 400, "token"
# alone may be what a subscription is called.
_TOKEN = re.compile(r"jwt|vapid|authori[sz]|authentic|credential|bearer|signature", re.IGNORECASE)
_OF_TOKENS = {
    400: _TOKEN,
    403: re.compile(rf"{_TOKEN.pattern}|token|\bclaims?\b|\b(aud|exp|sub)\b|crypto-key", re.IGNORECASE),
}
# A token that is well, of another key than the subscription's: "VAPID public key mismatch" (Mozilla), "the VAPID
# credentials in the authorization header do not correspond to …" and "UnauthorizedRegistration" (Google),
# "VapidPkHashMismatch" (Apple), "Channel URL incompatible with caller app" (Microsoft).
_OTHER_KEY = re.compile(r"mismatch|not correspond|unauthorizedregistration|incompatible", re.IGNORECASE)
# Microsoft explains in headers.
_EXPLAINED = ("x-wns-error-description", "www-authenticate")
# RFC 8292 §3: `vapid t=…, k=…`; who has the one can send as we do.
_TOKENS = re.compile(r"\bt=([^\s,]+)")
_TAG = re.compile(r"<[^<>]*>")


class WebPush:
    """`egress` must be the guarded one, because subscribers choose the URL."""

    def __init__(self, egress: Egress, vapid: Vapid) -> None:
        self._egress = egress
        self._vapid = vapid

    async def send(self, push: Push[Subscription], /) -> str | None:
        to, origin = push.to, push_service(push.to.endpoint)
        try:
            body = encrypt(push_payload(push.title, push.body, push.data), to.p256dh, to.auth)
        except ValueError as error:
            raise ProviderError("the subscription's key cannot be used", final=True) from error
        authorization = self._vapid.authorization(origin)
        headers = [
            ("Authorization", authorization),
            ("Content-Encoding", "aes128gcm"),
            ("Content-Type", "application/octet-stream"),
            ("TTL", str(push.ttl_seconds)),
            # If it is sent again because a worker died, it replaces the first one when that still waits.
            ("Topic", push.id.rpartition("_")[2][:_TOPIC_CHARACTERS]),
        ]
        answer = await post_guarded(self._egress, to.endpoint, headers, body, pool_key="webpush")
        if not 200 <= answer.status < 300:
            # The service may send back in its answer what it received.
            refused = _refused(answer, Scrubber([authorization, *_TOKENS.findall(authorization)]))
            if refused.ours:
                self._vapid.forget(origin)
            raise refused
        return None


def _refused(answer: Exchange, scrub: Scrubber) -> ProviderError:
    """
    Whoever subscribes chooses whom we ask, so that nothing it says is held against more than this push service (see
    `Senders`). A token that is not accepted is ours to mend, and costs no message; nor does it while the key is
    another one, which may have been exchanged by mistake.
    """
    status, why = answer.status, _explanation(answer, scrub)
    message = f"the push service answered {status}" + (f": {why}" if why else "")
    if status in _GONE:
        return Gone(message)
    if status == 429 or status >= 500:
        return ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
    named, of_other_key = _OF_TOKENS.get(status), _OTHER_KEY.search(why) is not None
    if status == 401 or (named and (of_other_key or named.search(why))):
        return ProviderError(message, ours=True, deferred=of_other_key)
    return ProviderError(message, final=True)


def _explanation(answer: Exchange, scrub: Scrubber) -> str:
    """Returns the explanation: from JSON (`message` of Mozilla, `reason` of Apple), a header, or the text."""
    fields = read(answer, dict[str, Any]) or {}
    said = [fields.get("message"), fields.get("reason"), *map(answer.header, _EXPLAINED)]
    text = next((each for each in said if isinstance(each, str) and each), "")
    if not text and not fields:
        text = _TAG.sub(" ", answer.body.decode("utf-8", "replace"))
    return shown(" ".join(text.split()), scrub)

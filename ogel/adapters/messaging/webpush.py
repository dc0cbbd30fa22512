"""Push to browsers: RFC 8030, to whatever push service the subscription names."""

from __future__ import annotations

from ogel.adapters.messaging.encryption import encrypt
from ogel.adapters.messaging.vapid import Vapid
from ogel.runtime.egress import Egress, Exchange
from ogel.runtime.messaging import Gone, Push, Subscription, push_payload, push_service
from ogel.runtime.provider_calls import post
from ogel.runtime.providers import ProviderError
from ogel.runtime.retry_after import retry_after_seconds

_GONE = (404, 410)
_TOPIC_CHARACTERS = 32


class WebPush:
    """`egress` must be the guarded one: who subscribes chooses the URL."""

    def __init__(self, egress: Egress, vapid: Vapid) -> None:
        self._egress = egress
        self._vapid = vapid

    async def send(self, push: Push[Subscription], /) -> str | None:
        to = push.to
        try:
            body = encrypt(push_payload(push.title, push.body, push.data), to.p256dh, to.auth)
        except ValueError as error:
            raise ProviderError("the subscription's key cannot be used", final=True) from error
        headers = [
            ("Authorization", self._vapid.authorization(push_service(to.endpoint))),
            ("Content-Encoding", "aes128gcm"),
            ("Content-Type", "application/octet-stream"),
            ("TTL", str(push.ttl_seconds)),
            # Sent a second time because a worker died, it takes the first one's place if that still waits.
            ("Topic", push.id.rpartition("_")[2][:_TOPIC_CHARACTERS]),
        ]
        answer = await post(self._egress, to.endpoint, headers, body, pool_key="webpush")
        if not 200 <= answer.status < 300:
            raise _refused(answer)
        return None


def _refused(answer: Exchange) -> ProviderError:
    """
    Nothing a push service says is held against us: its address is a user's choice, and a 401 or 403 of a true one
    means that this subscription was made with another VAPID key.
    """
    status = answer.status
    message = f"the push service answered {status}"
    if status in _GONE:
        return Gone(message)
    if status == 429 or status >= 500:
        return ProviderError(message, retry_after_seconds=retry_after_seconds(answer))
    return ProviderError(message, final=True)

"""Builds the SMS and push providers named in the settings. An adapter is imported only when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ogel.features.messaging.sending.senders import MessageProviders
from ogel.features.messaging.settings import MessagingSettings

if TYPE_CHECKING:
    from ogel.runtime.egress import Egress
    from ogel.runtime.messaging import MessageProvider, Sms
    from ogel.runtime.outgoing import Outgoing


def message_providers(settings: MessagingSettings, outgoing: Outgoing, guarded: Egress) -> MessageProviders:
    """The settings guarantee what each provider needs. `guarded` is the egress for addresses chosen by users."""
    fcm = webpush = vapid_public_key = None
    if settings.fcm_service_account is not None:
        from ogel.adapters.messaging.access_tokens import ServiceAccount
        from ogel.adapters.messaging.fcm import Fcm

        account = msgspec.convert(settings.fcm_service_account, ServiceAccount)
        fcm = Fcm(outgoing, settings.fcm_url, account)
    if settings.vapid_private_key is not None:
        from ogel.adapters.messaging.vapid import Vapid
        from ogel.adapters.messaging.webpush import WebPush

        vapid = Vapid(settings.vapid_private_key, settings.vapid_subject or "")
        webpush = WebPush(guarded, vapid)

        def vapid_public_key() -> str:
            return vapid.public_key

    return MessageProviders(
        sms=[(name, _sms_provider(name, settings, outgoing)) for name in settings.sms_providers],
        fcm=fcm,
        webpush=webpush,
        vapid_public_key=vapid_public_key,
    )


def _sms_provider(name: str, settings: MessagingSettings, outgoing: Outgoing) -> MessageProvider[Sms]:
    if name == "twilio":
        from ogel.adapters.messaging.twilio import Twilio

        return Twilio(
            outgoing,
            settings.twilio_url,
            settings.twilio_account_sid or "",
            settings.twilio_auth_token or "",
            settings.twilio_from or "",
        )
    from ogel.adapters.messaging.vonage import Vonage

    return Vonage(
        outgoing,
        settings.vonage_url,
        settings.vonage_api_key or "",
        settings.vonage_api_secret or "",
        settings.vonage_from or "",
    )

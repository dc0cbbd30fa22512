"""The settings of texts and push."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ogel.knobs import choices, contact, endpoint, knob, real, service_account, text, vapid_key, whole


@dataclass(frozen=True, slots=True)
class MessagingSettings:
    sms_providers: tuple[str, ...] = knob(
        "OGEL_SMS_PROVIDERS",
        takes=choices("twilio", "vonage"),
        default=(),
        meaning="Who carries texts: the first is asked first, the next when it fails. None: no SMS.",
    )
    twilio_account_sid: str | None = knob(
        "TWILIO_ACCOUNT_SID", takes=text("an id (AC…)"), default=None, meaning="The account at Twilio."
    )
    twilio_auth_token: str | None = knob(
        "TWILIO_AUTH_TOKEN", takes=text("a token"), default=None, meaning="Its token.", secret=True
    )
    twilio_from: str | None = knob(
        "TWILIO_FROM",
        takes=text("a number, a sender id or a messaging service (MG…)"),
        default=None,
        meaning="Whom texts by Twilio come from.",
    )
    twilio_url: str = knob(
        "OGEL_TWILIO_URL",
        takes=endpoint(),
        default="https://api.twilio.com",
        meaning="Where Twilio's API is; another region has another one.",
    )
    vonage_api_key: str | None = knob(
        "VONAGE_API_KEY", takes=text("a key"), default=None, meaning="The account at Vonage."
    )
    vonage_api_secret: str | None = knob(
        "VONAGE_API_SECRET", takes=text("a secret"), default=None, meaning="Its secret.", secret=True
    )
    vonage_from: str | None = knob(
        "VONAGE_FROM",
        takes=text("a number or a sender id"),
        default=None,
        meaning="Whom texts by Vonage come from.",
    )
    vonage_url: str = knob(
        "OGEL_VONAGE_URL",
        takes=endpoint(),
        default="https://rest.nexmo.com",
        meaning="Where Vonage's SMS API is.",
    )
    fcm_service_account: Mapping[str, str] | None = knob(
        "OGEL_FCM_SERVICE_ACCOUNT",
        takes=service_account(),
        default=None,
        meaning="Who sends push by Firebase Cloud Messaging. None: no push to apps.",
        secret=True,
    )
    fcm_url: str = knob(
        "OGEL_FCM_URL",
        takes=endpoint(),
        default="https://fcm.googleapis.com",
        meaning="Where FCM's API is.",
    )
    vapid_private_key: str | None = knob(
        "OGEL_VAPID_PRIVATE_KEY",
        takes=vapid_key(),
        default=None,
        meaning="Who sends push to browsers; under another key they must subscribe anew. None: no Web Push.",
        secret=True,
    )
    vapid_subject: str | None = knob(
        "OGEL_VAPID_SUBJECT",
        takes=contact(),
        default=None,
        meaning="How push services reach whoever runs this.",
    )
    lifetime_seconds: int = knob(
        "OGEL_MESSAGE_LIFETIME_SECONDS",
        takes=whole(60, 28 * 86400, "seconds"),
        default=86400,
        meaning="A message that could not be sent for so long has failed.",
    )
    retention_days: float = knob(
        "OGEL_MESSAGE_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Messages that are over, and devices that are gone, are deleted when older than this.",
    )

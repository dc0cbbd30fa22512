"""The settings of texts and push."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ogel.knobs import Section, Takes, choices, endpoint, knob, needs, real, text, whole
from ogel.runtime.domain import ends_in_number, is_private
from ogel.runtime.mail.address import parse_address
from ogel.runtime.network.server import NamedServer
from ogel.runtime.server_urls.others import clean_endpoint
from ogel.runtime.server_urls.parts import ServerUrl

# The order of the curve P-256 (FIPS 186-5): private keys are below it.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# What each way of messaging cannot do without.
_SMS_NEEDS = {
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_from"),
    "vonage": ("vonage_api_key", "vonage_api_secret", "vonage_from"),
}


def service_account() -> Takes:
    """Parses a Google service account key file; returns its text fields."""

    def parse(value: str) -> Mapping[str, str]:
        fields = msgspec.json.decode(value.encode(), type=dict[str, Any])
        texts = {name: text for name, text in fields.items() if isinstance(text, str)}
        if not {"project_id", "client_email", "private_key", "token_uri"} <= texts.keys():
            raise ValueError
        if "-----BEGIN" not in texts["private_key"]:
            raise ValueError
        return texts | {"token_uri": clean_endpoint(texts["token_uri"]).url}

    return Takes("the JSON of a service account's key file", parse)


def vapid_key() -> Takes:
    def parse(value: str) -> str:
        try:
            raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            raise ValueError from None
        if len(raw) != 32 or not 0 < int.from_bytes(raw, "big") < _P256_ORDER:
            raise ValueError
        return value

    return Takes("32 bytes in base64url, as `ogel messages vapid-key` prints them", parse)


def contact() -> Takes:
    """
    Checks the contact of VAPID tokens (RFC 8292 §2.1). Apple's push service rejects tokens whose contact is
    unreachable, and does not say why.
    """

    def parse(value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in ("mailto", "https")
            or not value.isprintable()
            or " " in value
            or "@" in parts.netloc
        ):
            raise ValueError
        if parts.scheme == "mailto":
            address = parse_address(value[len("mailto:") :])
            host, contact = address.domain, f"mailto:{address.spec}"
        else:
            url = ServerUrl.parse(value)
            [(host, _)] = url.places
            contact = str(url)
        if is_private(host) or ends_in_number(host) or not contact.isascii():
            raise ValueError
        return contact

    return Takes("mailto:name@example.com or https://example.com/…, of a public domain", parse)


@dataclass(frozen=True, slots=True)
class MessagingSettings(Section):
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

    def incomplete(self, known: Collection[str], names: Mapping[str, str]) -> Sequence[str]:
        lines = [
            line
            for name in self.sms_providers
            for line in needs(f"OGEL_SMS_PROVIDERS names {name}", _SMS_NEEDS[name], known, names)
        ]
        if "vapid_private_key" in known:
            lines += needs("OGEL_VAPID_PRIVATE_KEY is set", ["vapid_subject"], known, names)
        return lines

    def servers(self) -> Sequence[NamedServer]:
        urls = {"twilio": self.twilio_url, "vonage": self.vonage_url}
        found = [
            NamedServer(f"texts by {name.title()}", "http", urls[name], f"{name}_url")
            for name in self.sms_providers
        ]
        if self.fcm_service_account is not None:
            found.append(NamedServer("push by FCM", "http", self.fcm_url, "fcm_url"))
        return found

"""The headers of other systems' webhooks, sent besides our own so that their receivers work unchanged."""

from __future__ import annotations

import hmac
from binascii import b2a_base64
from typing import Literal
from urllib.parse import quote

from ogel.runtime.egress import Headers

Compatibility = Literal["appwrite"]

# Ogel has no projects; a receiver that looks for one finds this.
PROJECT = "default"
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_MOST_NAME_CHARACTERS = 128


def appwrite_headers(
    webhook_id: str, name: str, url: str, event_type: str, body: bytes, secret: str | None
) -> Headers:
    """
    `secret` is the endpoint's newest `v1` secret as it was shown, prefix and all: Appwrite's key is text. Without one
    the signature is left out. It knows one key at a time, so a rotation has no overlap here. Appwrite names the user
    who caused an event; Ogel's events do not know theirs.
    """
    headers = [
        ("x-appwrite-webhook-id", webhook_id),
        ("x-appwrite-webhook-events", event_type),
        ("x-appwrite-webhook-name", _header_text(name)),
        ("x-appwrite-webhook-user-id", ""),
        ("x-appwrite-webhook-project-id", PROJECT),
    ]
    if secret is not None:
        headers.append(("x-appwrite-webhook-signature", appwrite_signature(secret, url, body)))
    return headers


def appwrite_signature(key: str, url: str, body: bytes) -> str:
    """Base64 of HMAC-SHA1 over URL and body: weak, replayable, and what its receivers check."""
    digest = hmac.digest(key.encode(), url.encode() + body, "sha1")
    return b2a_base64(digest, newline=False).decode()


def _header_text(text: str) -> str:
    """What is not printable ASCII comes percent-encoded."""
    return quote(text[:_MOST_NAME_CHARACTERS].strip(), safe=_PRINTABLE)

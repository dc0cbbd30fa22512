"""An endpoint's own headers for every request: validated on input, sealed in the database, shown as hints."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ogel.kernel.errors import Invalid
from ogel.runtime.secrets.scrub import MASK
from ogel.runtime.secrets.vault import Vault

# Names and values by RFC 9110 §5.1 and §5.5, and the names that only Ogel sets.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]{0,998}[\x21-\x7e])?")
_OURS = re.compile(
    r"(?i)webhook-.*|x-appwrite-webhook-.*|host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|"
    r"keep-alive|proxy-.*|user-agent|accept-encoding"
)

# The hint of a shorter value would reveal half of it.
_LEAST_FOR_HINT = 16


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises Invalid."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise Invalid.field("body.headers", f"{name!r} is no header name")
        here = f"body.headers.{name}"
        if _OURS.fullmatch(name):
            raise Invalid.field(here, "is set by Ogel")
        if name.lower() in seen:
            raise Invalid.field(here, "is given twice; header names have no case")
        seen.add(name.lower())
        if value == MASK:
            raise Invalid.field(here, "is what reading shows instead of a value; send the value itself")
        if not _VALUE.fullmatch(value):
            raise Invalid.field(here, "takes 1 to 1000 printable ASCII characters")


def hints(headers: Mapping[str, str]) -> dict[str, str]:
    """
    Returns what may be shown. No hint is a valid header value, so it cannot be sent back to us as one by mistake.
    """
    return {
        name: f"{value[:4]}…{MASK}" if len(value) >= _LEAST_FOR_HINT else MASK
        for name, value in headers.items()
    }


def seal_headers(vault: Vault, webhook_id: str, headers: Mapping[str, str]) -> bytes | None:
    """Returns None when there are no headers."""
    return vault.seal(msgspec.json.encode(headers), headers_purpose(webhook_id)) if headers else None


def unseal_headers(vault: Vault, webhook_id: str, sealed: bytes | None) -> dict[str, str]:
    """Raises Unsealable."""
    if sealed is None:
        return {}
    return msgspec.json.decode(vault.unseal(sealed, headers_purpose(webhook_id)), type=dict[str, str])


def headers_purpose(webhook_id: str) -> str:
    return f"webhook-headers:{webhook_id}"

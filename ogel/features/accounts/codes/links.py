"""What the receiver of a mail sees: where its link leads, in which language it speaks, which template it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from ogel.features.accounts.codes.code import FreshCode, Purpose
from ogel.features.accounts.users.user import User
from ogel.features.mail.contract import LOCALE_PATTERN

TEMPLATES: Mapping[Purpose, str] = {
    "signup": "verify_email",
    "invite": "invitation",
    "magiclink": "magic_link",
    "recovery": "reset_password",
    "email_change_current": "email_change",
    "email_change_new": "email_change",
    "reauthentication": "reauthentication",
}
# Languages that a request asks for beyond these are not looked at.
_MOST_LANGUAGES = 10
# In URLs of mail these need no escape; the links of most sites stay readable.
_PLAIN = re.compile(r"[A-Za-z0-9:/._~-]*")


class LinkOptions(Struct, frozen=True):
    """
    redirect_to  where the link leads in the end; one of those that `Redirects` allows.
    challenge    of a client that wants a code to exchange (PKCE, S256).
    languages    that the request asks for, the most wanted first.
    """

    redirect_to: str
    challenge: str | None = None
    languages: Sequence[str] = ()


def type_of(purpose: Purpose) -> str:
    """What links and clients call it: both links of a change of address are an `email_change`."""
    return "email_change" if purpose.startswith("email_change") else purpose


def link_of(external_url: str, code: FreshCode, purpose: Purpose, redirect_to: str) -> str:
    to = redirect_to if _PLAIN.fullmatch(redirect_to) else quote(redirect_to, safe="")
    return f"{external_url}/verify?token={code.token}&type={type_of(purpose)}&redirect_to={to}"


def data_of(user: User, purpose: Purpose, app: str) -> dict[str, Any]:
    """What a template shows, besides link and code."""
    data: dict[str, Any] = {
        "app": app,
        "email": user.email or "",
        "new_email": user.email_change or "",
        "data": user.user_metadata,
    }
    if purpose == "invite":
        data["inviter"] = _line(user.user_metadata.get("inviter")) or app
        data["team"] = _line(user.user_metadata.get("team")) or app
    return data


def app_of(site_url: str) -> str:
    """What an app without a name is called."""
    return urlsplit(site_url).netloc


def languages_of(user: User, link: LinkOptions) -> list[str]:
    """That of the user's metadata before those of the request."""
    own = (user.user_metadata.get(name) for name in ("locale", "language"))
    return [
        each for each in (*own, *link.languages) if isinstance(each, str) and re.search(LOCALE_PATTERN, each)
    ]


def accepted_languages(header: str | None) -> list[str]:
    """Reads `Accept-Language` (RFC 9110 §12.5.4), the most wanted first; what cannot be read is left out."""
    wanted: list[tuple[float, str]] = []
    for item in (header or "").split(",", _MOST_LANGUAGES)[:_MOST_LANGUAGES]:
        tag, _, weight = item.strip().partition(";")
        quality = _quality(weight)
        if quality > 0 and re.search(LOCALE_PATTERN, tag.strip()):
            wanted.append((quality, tag.strip()))
    return [tag for _, tag in sorted(wanted, key=lambda each: -each[0])]


def _quality(weight: str) -> float:
    name, _, value = weight.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    found = re.fullmatch(r"[01](\.[0-9]{0,3})?", value.strip())
    return float(found[0]) if found else 0.0


def _line(text: Any) -> str:
    return text if isinstance(text, str) and text.isprintable() and len(text) <= 100 else ""

"""Cookies (RFC 6265): read from requests, and set by answers."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Literal

from msgspec import Struct
from starlette.requests import cookie_parser

COOKIE_BYTES = 8192
# What escapes in quoted values cost grows with their square in Python before 3.12.6 (CVE-2024-7592).
MOST_ESCAPES = 512


def cookies_of(headers: Mapping[bytes, bytes]) -> Mapping[str, str]:
    """Returns the cookies by name, parsed as browsers do: malformed ones are skipped. Over the limits it is empty."""
    sent = headers.get(b"cookie", b"")
    if not sent or len(sent) > COOKIE_BYTES or sent.count(b"\\") > MOST_ESCAPES:
        return {}
    return cookie_parser(str(sent, "latin-1"))


class Cookie(Struct, frozen=True):
    """
    max_age_seconds  None: until the browser is closed; 0 deletes it.
    secure           only over https; a browser takes localhost for that.
    http_only        scripts of the page cannot read it.
    """

    name: str
    value: str
    max_age_seconds: int | None = None
    path: str = "/"
    domain: str | None = None
    secure: bool = True
    http_only: bool = True
    same_site: Literal["Lax", "Strict", "None"] = "Lax"

    def header(self) -> str:
        """Returns the value for Set-Cookie. Raises http.cookies.CookieError for a name that no cookie can have."""
        jar: SimpleCookie = SimpleCookie()
        jar[self.name] = self.value
        morsel = jar[self.name]
        morsel["path"] = self.path
        morsel["samesite"] = self.same_site
        morsel["secure"] = self.secure
        morsel["httponly"] = self.http_only
        if self.domain is not None:
            morsel["domain"] = self.domain
        if self.max_age_seconds is not None:
            morsel["max-age"] = self.max_age_seconds
        return morsel.OutputString()

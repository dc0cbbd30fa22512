"""The cookie by which a browser shows that it is the one that left for another site."""

from __future__ import annotations

import re
from typing import Any

from ogel.features.accounts.oauth.remembered import FLOW_LIFETIME
from ogel.runtime.http.cookies import Cookie, cookies_of
from ogel.runtime.http.route import Call
from ogel.runtime.identity_provider import random_text

# The prefix makes browsers take it from this very host only, and by TLS (RFC 6265bis §4.1.3.2).
_NAME, _NAME_WITH_TLS = "ogel-sign-in", "__Host-ogel-sign-in"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Browsers:
    """`external_url` is where they reach us; without TLS there, a browser would drop a cookie that asks for it."""

    def __init__(self, external_url: str) -> None:
        self._tls = external_url.startswith("https:")

    def secret(self, call: Call[Any, Any]) -> str | None:
        found = cookies_of(call.headers).get(self._name, "")
        return found if _SECRET.fullmatch(found) else None

    def kept(self, call: Call[Any, Any]) -> Cookie:
        """Returns the secret that it has, as another tab may be on its way, or a new one."""
        secret = self.secret(call) or random_text()
        return Cookie(self._name, secret, int(FLOW_LIFETIME.total_seconds()), secure=self._tls)

    @property
    def _name(self) -> str:
        return _NAME_WITH_TLS if self._tls else _NAME

"""GET /settings: what clients show people before they sign in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ogel.features.accounts.gotrue.shapes import Json
from ogel.features.accounts.oauth.known import KNOWN
from ogel.features.accounts.settings import AccountsSettings
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class SettingsRoutes:
    """`providers` are the names of other sites whose accounts are good here."""

    def __init__(self, settings: AccountsSettings, providers: Collection[str], autoconfirms: bool) -> None:
        known = {name: name in providers for name in KNOWN}
        others = dict.fromkeys(sorted(set(providers) - set(known)), True)
        self._answer: Json = {
            "external": {
                "anonymous_users": settings.anonymous,
                **known,
                **others,
                "email": settings.email,
                "phone": False,
            },
            "disable_signup": not settings.signup,
            "mailer_autoconfirm": autoconfirms,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
            "saml_private_key_next_configured": False,
            "passkeys_enabled": False,
        }

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "read")
        return [Route("GET", "/settings", self._get, access, "What may be signed in with", returns=dict)]

    async def _get(self, call: Call[Any, Any]) -> Json:
        return self._answer

"""Sign-in with GitHub, or with a GitHub Enterprise Server: OAuth 2.0, and its own API for who somebody is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from msgspec import Struct

from ogel.adapters.identity_providers.asking import get, post_form
from ogel.adapters.identity_providers.claims import address_of, named, shortened
from ogel.runtime.identity_provider import Attempt, Person, ProviderError, Redeemed
from ogel.runtime.outgoing import Outgoing

SITE = "https://github.com"
_API = "https://api.github.com"
SCOPES = ("user:email",)


class _Tokens(Struct):
    access_token: str
    refresh_token: str | None = None


class _User(Struct):
    id: int
    login: str
    name: str | None = None
    avatar_url: str | None = None


class _Email(Struct):
    email: str
    primary: bool = False
    verified: bool = False


class GitHub:
    """`site` is github.com, or the address of an Enterprise Server, whose API stands beneath it."""

    def __init__(self, outgoing: Outgoing, client_id: str, secret: str, site: str = SITE) -> None:
        self._outgoing = outgoing
        self._client_id = client_id
        self._secret = secret
        site = site.rstrip("/")
        self._api = _API if site == SITE else f"{site}/api/v3"
        self.issuer = f"{site}/login/oauth"

    async def authorization_url(
        self, redirect_uri: str, attempt: Attempt, scopes: Sequence[str], more: Mapping[str, str]
    ) -> str:
        asked = {
            **more,
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(dict.fromkeys((*SCOPES, *scopes))),
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.issuer}/authorize?{urlencode(asked)}"

    async def redeem(self, code: str, redirect_uri: str, attempt: Attempt, iss: str | None) -> Redeemed:
        if iss is not None and iss != self.issuer:
            raise ProviderError("the browser was sent back by another issuer (RFC 9207)")
        form = {
            "client_id": self._client_id,
            "client_secret": self._secret,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        tokens = await post_form(
            self._outgoing, f"{self.issuer}/access_token", _Tokens, "access token", (), form
        )
        return Redeemed(await self._person(tokens.access_token), tokens.access_token, tokens.refresh_token)

    async def _person(self, access_token: str) -> Person:
        bearer = [("Authorization", f"Bearer {access_token}")]
        user = await get(self._outgoing, f"{self._api}/user", _User, "user", bearer)
        emails = await get(self._outgoing, f"{self._api}/user/emails", list[_Email], "emails", bearer)
        known = {address: each for each in emails if (address := address_of(each.email)) is not None}
        verified = frozenset(address for address, each in known.items() if each.verified)
        email = next((address for address, each in known.items() if each.primary), None)
        claims = named(self._api, str(user.id), user.name or user.login, None)
        claims |= {"preferred_username": shortened(user.login), "user_name": shortened(user.login)}
        if user.avatar_url:
            claims["avatar_url"] = shortened(user.avatar_url)
        if email is not None:
            claims["email"] = email
        return Person(str(user.id), email, verified, {**claims, "email_verified": email in verified})

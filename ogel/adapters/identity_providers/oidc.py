"""Sign-in with whoever speaks OpenID Connect: Google, Keycloak, Auth0, Okta, …; found by the issuer's address alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from msgspec import Struct

from ogel.adapters.identity_providers.asking import get, post_form
from ogel.adapters.identity_providers.claims import person_of
from ogel.adapters.identity_providers.id_tokens import IdTokens
from ogel.adapters.identity_providers.kept import Kept
from ogel.adapters.identity_providers.published_keys import PublishedKeys
from ogel.runtime.identity_provider import Attempt, BadIdToken, Person, ProviderError, Redeemed
from ogel.runtime.outgoing import Outgoing

SCOPES = ("openid", "profile", "email")
_DISCOVERY = "/.well-known/openid-configuration"
_SHOWN_CHARACTERS = 200
_BASIC = "client_secret_basic"


class Discovery(Struct, frozen=True):
    """What an issuer says of itself (OpenID Connect Discovery §3; RFC 8414; RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(Struct):
    access_token: str
    id_token: str
    refresh_token: str | None = None


class OpenIdProvider:
    """
    client_ids    the first is who we are; ID tokens for the others, an app's on a phone for example, are taken too.
    secret        None: the provider knows us as a public client.
    also_written  names that it writes into its tokens instead of its address.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        issuer: str,
        client_ids: Sequence[str],
        secret: str | None,
        also_written: Sequence[str] = (),
    ) -> None:
        self.issuer = issuer
        self.client_ids = client_ids
        self._outgoing = outgoing
        self._secret = secret
        self._discovery = Kept(self._discover)
        self._keys = PublishedKeys(outgoing, self._jwks_uri)
        without = issuer.rstrip("/")
        self._id_tokens = IdTokens(self._keys, (without, f"{without}/", *also_written), client_ids)

    async def check(self) -> None:
        """Asks for what it says of itself, and for its keys. Raises ProviderError."""
        await self._keys.fetch()

    async def authorization_url(
        self, redirect_uri: str, attempt: Attempt, scopes: Sequence[str], more: Mapping[str, str]
    ) -> str:
        known = await self._discovery.get()
        asked = {
            **more,
            "client_id": self.client_ids[0],
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(dict.fromkeys((*SCOPES, *scopes))),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        mark = "&" if urlsplit(known.authorization_endpoint).query else "?"
        return f"{known.authorization_endpoint}{mark}{urlencode(asked)}"

    async def redeem(self, code: str, redirect_uri: str, attempt: Attempt, iss: str | None) -> Redeemed:
        known = await self._discovery.get()
        required = known.authorization_response_iss_parameter_supported
        if (iss is not None or required) and not _same(iss or "", self.issuer):
            raise ProviderError("the browser was sent back by another issuer (RFC 9207)")
        tokens = await self._tokens(known, code, redirect_uri, attempt)
        said = await self._id_tokens.claims(tokens.id_token, tokens.access_token)
        if said.get("nonce") != attempt.nonce:
            raise BadIdToken("the ID token was made for another sign-in")
        if said.get("azp", self.client_ids[0]) != self.client_ids[0]:
            raise BadIdToken("the ID token was made for another client")
        if "email" not in said and known.userinfo_endpoint is not None:
            asked = await self._userinfo(known.userinfo_endpoint, tokens, said["sub"])
            said = {**said, "email_verified": False, **asked}
        return Redeemed(person_of(self.issuer, said), tokens.access_token, tokens.refresh_token)

    async def read(self, id_token: str, access_token: str | None) -> tuple[Person, str | None]:
        said = await self._id_tokens.claims(id_token, access_token)
        nonce = said.get("nonce")
        return person_of(self.issuer, said), nonce if isinstance(nonce, str) else None

    async def _tokens(self, known: Discovery, code: str, redirect_uri: str, attempt: Attempt) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = []
        if self._secret is not None and _BASIC in (known.token_endpoint_auth_methods_supported or (_BASIC,)):
            # Encoded as in a form first (RFC 6749 §2.3.1).
            pair = f"{quote_plus(self.client_ids[0])}:{quote_plus(self._secret)}"
            headers = [("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")]
        else:
            form["client_id"] = self.client_ids[0]
            if self._secret is not None:
                form["client_secret"] = self._secret
        return await post_form(self._outgoing, known.token_endpoint, _Tokens, "tokens", headers, form)

    async def _userinfo(self, url: str, tokens: _Tokens, subject: str) -> dict[str, Any]:
        bearer = [("Authorization", f"Bearer {tokens.access_token}")]
        said = await get(self._outgoing, url, dict[str, Any], "userinfo", bearer)
        if said.get("sub") != subject:
            raise ProviderError("userinfo is about somebody else (OpenID Connect Core §5.3.2)")
        return said

    async def _jwks_uri(self) -> str:
        return (await self._discovery.get()).jwks_uri

    async def _discover(self) -> Discovery:
        known = await get(self._outgoing, self.issuer.rstrip("/") + _DISCOVERY, Discovery, "discovery")
        if not _same(known.issuer, self.issuer):
            raise ProviderError(f"discovery is about another issuer, {known.issuer[:_SHOWN_CHARACTERS]!r}")
        named = (known.authorization_endpoint, known.token_endpoint, known.jwks_uri, known.userinfo_endpoint)
        # What an issuer reached by TLS names is reached by TLS, too; and nobody is sent to a script.
        schemes = ("https://",) if self.issuer.startswith("https:") else ("https://", "http://")
        if not all(each is None or each.startswith(schemes) for each in named):
            raise ProviderError(f"discovery names an address without {schemes[0]}")
        return known


def _same(issuer: str, other: str) -> bool:
    """A slash at the end is easily forgotten, and makes no other issuer."""
    return issuer.rstrip("/") == other.rstrip("/")

"""People as other sites know them: the port between accounts and the adapter of each kind of identity provider."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

_RANDOM_BYTES = 32


class ProviderError(Exception):
    """The provider did not answer, or not as it must. The message is for operators and holds no secret."""


class BadIdToken(ProviderError):
    """The ID token is not to be believed."""


class WrongAudience(BadIdToken):
    def __init__(self, audience: Sequence[str]) -> None:
        super().__init__("the ID token is for another client")
        self.audience = audience


class Person(Struct, frozen=True):
    """
    id        what the provider calls them; it never changes, other than name and address.
    email     their main address in lower case; None: the provider tells none that could be written to.
    verified  every address, in lower case, that the provider says is theirs; `email` is only trusted as one of them.
    claims    what is kept of them, in the names that clients of Supabase Auth read.
    """

    id: str
    email: str | None
    verified: frozenset[str]
    claims: Mapping[str, Any]

    @property
    def email_verified(self) -> bool:
        return self.email in self.verified


class Redeemed(Struct, frozen=True):
    """What a code was good for: who has signed in, and the provider's tokens, which are the client's to use."""

    person: Person
    access_token: str
    refresh_token: str | None


class Attempt(Struct, frozen=True):
    """
    What ties a sign-in's two halves together, at the provider and back: `state` goes through the browser, `nonce` comes
    back in the ID token, `verifier` shows that who redeems the code is who asked for it (RFC 7636).
    """

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def random_text() -> str:
    """Returns 256 random bits as 43 characters that a URL, a cookie and a code verifier may hold."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


class IdentityProvider(Protocol):
    """`issuer` is how it names itself to browsers it sends back (RFC 9207)."""

    @property
    def issuer(self) -> str: ...

    async def authorization_url(
        self, redirect_uri: str, attempt: Attempt, scopes: Sequence[str], more: Mapping[str, str]
    ) -> str:
        """
        Returns where the browser goes. `scopes` are asked for beside the usual ones; `more` are parameters of the
        provider's own, such as `prompt`. Raises ProviderError.
        """

    async def redeem(self, code: str, redirect_uri: str, attempt: Attempt, iss: str | None) -> Redeemed:
        """
        Exchanges the code that the browser came back with. `iss` is who sent it back, if that was said. Raises
        ProviderError.
        """


class IdTokenReader(IdentityProvider, Protocol):
    """A provider whose ID tokens apps may get without us, on a phone for example."""

    @property
    def client_ids(self) -> Sequence[str]:
        """The clients whose tokens are taken."""

    async def read(self, id_token: str, access_token: str | None) -> tuple[Person, str | None]:
        """
        Returns who the token is about, and its nonce. An `access_token` that came with it must fit. Raises BadIdToken,
        WrongAudience and ProviderError.
        """

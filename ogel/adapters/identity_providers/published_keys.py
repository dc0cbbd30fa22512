"""The keys that an issuer publishes (RFC 7517), and which of them a token means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ogel.adapters.identity_providers.asking import get
from ogel.adapters.identity_providers.kept import KEPT_SECONDS, Kept
from ogel.runtime.identity_provider import BadIdToken, ProviderError
from ogel.runtime.outgoing import Outgoing

if TYPE_CHECKING:
    from jwt import PyJWK

Json = dict[str, Any]

# A shared secret in a public document is none, whatever a token says of it.
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_MOST_KEYS = 50
# A token that names a key we have not seen makes us look again, but not more often than this.
LOOK_AGAIN_SECONDS = 15.0


class _KeySet(Struct):
    keys: list[Json]


class PublishedKeys:
    """`address` returns where they are published, as the issuer says."""

    def __init__(self, outgoing: Outgoing, address: Callable[[], Awaitable[str]]) -> None:
        self._outgoing = outgoing
        self._address = address
        self._kept = Kept(self.fetch)

    async def meant_by(self, header: Mapping[str, Any]) -> PyJWK:
        """
        Returns the key that a token's header names, or, where it names none, the only one for its algorithm. Raises
        BadIdToken when there is no such key, ProviderError when none can be had.
        """
        for at_most_seconds in (KEPT_SECONDS, LOOK_AGAIN_SECONDS):
            fitting = _fitting(await self._kept.get(at_most_seconds), header)
            if len(fitting) == 1:
                return fitting[0]
        raise BadIdToken("the ID token is signed with a key that its issuer does not publish")

    async def fetch(self) -> Sequence[Json]:
        """Returns those that can be used. Raises ProviderError."""
        found = await get(self._outgoing, await self._address(), _KeySet, "keys")
        usable = [
            each for each in found.keys if each.get("kty") in _KEY_TYPES and each.get("use", "sig") == "sig"
        ]
        if len(usable) > _MOST_KEYS:
            raise ProviderError(f"keys: more than {_MOST_KEYS}")
        return usable


def _fitting(keys: Sequence[Json], header: Mapping[str, Any]) -> Sequence[PyJWK]:
    import jwt

    named, algorithm = header.get("kid"), header["alg"]
    fitting = []
    for each in keys:
        if (named is None or each.get("kid") == named) and each.get("alg", algorithm) == algorithm:
            try:
                fitting.append(jwt.PyJWK(each, algorithm))
            except (jwt.PyJWTError, ValueError, TypeError):
                continue  # of another type than the algorithm takes
    return fitting

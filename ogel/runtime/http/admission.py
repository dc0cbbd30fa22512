"""
Admission: finds the principal of a request by its credentials, and lets it in or refuses it. Routes and streams share
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, Protocol

from starlette.types import Scope

from ogel.kernel.errors import Forbidden, Unauthenticated
from ogel.kernel.principal import Principal
from ogel.runtime.http.access import Access
from ogel.runtime.http.credentials import Authenticators, Credential, CredentialReader
from ogel.runtime.http.exchange import Exchange
from ogel.runtime.http.gate import Gate
from ogel.runtime.rates.limiter import Limiter, refusal

# Why a key or session stopped being valid. A key that has lost the scope counts as revoked.
Ending = Literal["revoked", "expired"]


class Watch(Protocol):
    """Tells when a key or session ends, for whatever outlives the request that it came with: streams, and caches."""

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        """
        Watches the principal's key or session until the returned function is called. `on_end` is called once, when that
        has ended or lost the scope, or its user the role (`Access.needed`; empty: neither is needed), also if it
        happened between admission and this call.
        """

    def look_soon(self) -> None:
        """Says that keys or sessions may have changed, so that they are looked at soon."""


class Admission:
    """Admission to one route or stream. The first reader that finds a credential decides; later ones are not tried."""

    def __init__(
        self,
        access: Access,
        readers: Sequence[CredentialReader],
        companions: Sequence[CredentialReader],
        authenticators: Authenticators,
        limiter: Limiter | None,
        gate: Gate | None = None,
    ) -> None:
        self._access = access
        self._gate = gate
        self._limiter = limiter if access.rate != "none" else None
        self._readers = readers
        self._companions = companions
        self._authenticators = authenticators

    async def admit(self, scope: Scope, exchange: Exchange) -> None:
        """Stores the principal in the exchange. Raises Unauthenticated, Forbidden, RateLimited or Unavailable."""
        credential = None
        exchange.rate = self._access.rate
        if self._access.who == "anyone":
            with suppress(Unauthenticated):
                credential = await self._identify(scope, exchange)
        elif self._access.who != "open":
            credential = await self._identify(scope, exchange)
        for read in self._companions:
            if (companion := read(scope)) is not None and companion != credential:
                await self._principal(companion, exchange)
        if self._gate is not None:
            await self._gate.check(self._access, exchange)
        if self._limiter is not None:
            verdict = await self._limiter.admit(exchange.principal, exchange.ip, self._access.rate)
            exchange.limits = verdict.fields
            if verdict.refused_by:
                raise refusal(verdict)

    async def _identify(self, scope: Scope, exchange: Exchange) -> Credential:
        for read in self._readers:
            if (credential := read(scope)) is not None:
                break
        else:
            raise Unauthenticated("Send a key: `Authorization: Bearer <key>`.")
        principal = await self._principal(credential, exchange)
        exchange.principal = principal
        if lacking := self._access.lacks(principal):
            raise Forbidden(lacking)
        return credential

    async def _principal(self, credential: Credential, exchange: Exchange) -> Principal:
        authenticate = self._authenticators.get(credential.kind)
        principal = None if authenticate is None else await authenticate(credential, exchange.caller)
        if principal is None:
            raise Unauthenticated(f"This {credential.kind} is not known.")
        return principal


class Admissions:
    """
    What all admissions share: the authenticators and the rate limiter. Without a `limiter` requests are not limited.
    """

    def __init__(
        self, authenticators: Authenticators, limiter: Limiter | None, gate: Gate | None = None
    ) -> None:
        self._authenticators = authenticators
        self._limiter = limiter
        self._gate = gate

    def of(
        self,
        access: Access,
        readers: Sequence[CredentialReader],
        companions: Sequence[CredentialReader] = (),
    ) -> Admission:
        """`readers` find who is asking; what `companions` find must be valid, too."""
        return Admission(access, readers, companions, self._authenticators, self._limiter, self._gate)

"""Checks users' URLs before they are stored, and refuses those that can never be called."""

from __future__ import annotations

import asyncio

from ogel.adapters.egress.addresses import AddressGuard
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.target import RequestTarget
from ogel.runtime.domain import is_private, leads_nowhere
from ogel.runtime.egress import EgressError, RefusedAddress

LOOK_UP_SECONDS = 2.0


class Door:
    """
    A public name may resolve to something else tomorrow, so only the guard can judge it, at each call. A private name
    must lead into a network that the operator allowed. It is looked up here; one that does not resolve yet is accepted
    if a network is allowed for it, since its service may not run yet.
    """

    def __init__(self, guard: AddressGuard, resolver: Resolver | None = None) -> None:
        self._guard = guard
        self._resolver: Resolver = resolver or SystemResolver()

    async def check_url(self, url: str) -> None:
        """Raises InvalidUrl, RefusedAddress."""
        target = self._guard.check_url(url)
        if target.address is None and is_private(target.host):
            await self._check_private(target)

    async def _check_private(self, target: RequestTarget) -> None:
        if leads_nowhere(target.host) or not self._guard.opens_any:
            raise RefusedAddress
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                answers = await self._resolver.resolve(target.host)
        except (EgressError, TimeoutError):
            if not self._guard.may_come_to_open(target):
                raise RefusedAddress from None
            return
        self._guard.vet(target, answers, opened_only=True)

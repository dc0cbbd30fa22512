"""Counts each caller's requests by the policies of their rate class."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from weakref import WeakValueDictionary

from msgspec.structs import replace

from ogel.kernel.errors import RateLimited
from ogel.kernel.principal import Kind, Principal
from ogel.runtime.rates.budget import UNLIMITED, Budget, Meter, Verdict
from ogel.runtime.rates.budgets import Budgets
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.rates.policy import Policy, Quota, policies_of

# Operators are not limited: they may do everything anyway, and must not be hindered while they repair something.
_OPERATORS: frozenset[Kind] = frozenset({"admin", "system"})
# A site with IPv6 has at least this network, with any address in it to choose from…
_NETWORK_BITS = 64
# …and may have this larger one, so it is counted too. It may be shared by many people.
_SITE_BITS = 48
_SITE_TIMES = 16


class Limiter:
    """`quotas` by class; a class without one is not limited."""

    def __init__(
        self, quotas: Mapping[str, tuple[Quota, ...]], budgets: Budgets, metrics: RateMetrics
    ) -> None:
        self._policies = {rate: policies_of(rate, each) for rate, each in quotas.items() if each}
        self._budgets = budgets
        self._metrics = metrics
        # For as long as one of its networks has a budget here.
        self._sites: WeakValueDictionary[str, Meter] = WeakValueDictionary()

    def of(self, quotas: Mapping[str, tuple[Quota, ...]]) -> Limiter:
        """Returns one that counts classes of a feature's own, in the same budgets."""
        return Limiter(quotas, self._budgets, self._metrics)

    def count_as(self, rate: str, quotas: tuple[Quota, ...]) -> None:
        """Adds a class of requests; without quotas it is not limited."""
        if quotas:
            self._policies[rate] = policies_of(rate, quotas)

    async def admit(self, principal: Principal, client: str | None, rate: str) -> Verdict:
        """
        Counts one request of a principal; of one that may be anyone by the address `client`. It waits for Redis only
        when this process sees a caller for the first time, or the caller asks for more than was reserved.
        """
        return (
            UNLIMITED if principal.kind in _OPERATORS else await self.count(_whose(principal, client), rate)
        )

    async def count(self, whose: str, rate: str) -> Verdict:
        """Counts one of whatever `whose` names, without a slash in it, as `admit` does of a principal."""
        policies = self._policies.get(rate)
        if policies is None:
            return UNLIMITED
        budget = self._budgets.find((rate, whose))
        if budget is None:
            budget = self._budgets.add((rate, whose), self._budget_of(policies, whose))
        now = time.monotonic()
        passes = self._budgets.take(budget, now)
        if passes is None:
            passes = await self._budgets.wait_and_take(budget)
            now = time.monotonic()
        if passes:
            return budget.passed(now)
        verdict = budget.refused(now)
        for name in verdict.refused_by:
            self._metrics.refused.labels(name).inc()
        return verdict

    def give_back(self, principal: Principal, client: str | None, rate: str) -> None:
        """Gives back a request that was counted and turned out to belong to another class."""
        self.give_back_to(_whose(principal, client), rate)

    def give_back_to(self, whose: str, rate: str) -> None:
        """Gives back what `count` counted and what did not happen."""
        budget = self._budgets.find((rate, whose))
        if budget is not None:
            budget.left += 1

    def _budget_of(self, policies: Sequence[Policy], whose: str) -> Budget:
        keys = [f"{policy.name}:{whose}" for policy in policies]
        network, _, bits = whose.partition("/")
        if not bits:
            return Budget(policies, keys)
        site = _network(ip_address(network), _SITE_BITS)
        sites = [_of_site(policy) for policy in policies]
        site_keys = [f"{policy.name}:{site}" for policy in sites]
        meters = [*(Meter() for _ in policies), *(self._of_all(key) for key in site_keys)]
        return Budget([*policies, *sites], [*keys, *site_keys], meters)

    def _of_all(self, site_key: str) -> Meter:
        """One for all networks of a site, so that it holds without Redis, too."""
        meter = self._sites.get(site_key)
        if meter is None:
            meter = self._sites[site_key] = Meter()
        return meter


def _whose(principal: Principal, client: str | None) -> str:
    return network_of(client) if principal.is_anyone else principal.id


@lru_cache(maxsize=1024)
def network_of(client: str | None) -> str:
    """
    Returns the network that an address is counted as. IPv4 addresses are scarce; an IPv6 site has as many as it likes.
    """
    if client is None:
        return "unknown"
    address = ip_address(client)
    return str(address) if address.version == 4 else _network(address, _NETWORK_BITS)


def refusal(verdict: Verdict) -> RateLimited:
    """Returns the 429 of a request that is refused."""
    names = " and ".join(verdict.refused_by)
    seconds = verdict.retry_after_seconds
    return RateLimited(
        f"Too many requests for the policy {names}; try again in {seconds} s.", retry_after_seconds=seconds
    )


def _of_site(policy: Policy) -> Policy:
    quota = replace(policy.quota, requests=policy.quota.requests * _SITE_TIMES)
    return Policy(f"{policy.name}-site", quota)


def _network(address: IPv4Address | IPv6Address, bits: int) -> str:
    return str(ip_network((int(address), bits), strict=False))

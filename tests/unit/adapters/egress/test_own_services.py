"""Names of services that operators run: wherever they are, but for cloud metadata."""

from __future__ import annotations

import asyncio

import pytest

from ogel.adapters.egress.own_services import OwnServiceNames
from ogel.runtime.egress import EgressError


class Says:
    """A resolver with one answer."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def cached(self, host: str) -> tuple[str, ...]:
        return self.addresses

    async def resolve(self, host: str) -> tuple[str, ...]:
        return self.addresses

    def is_silent(self, host: str) -> bool:
        return False


@pytest.mark.parametrize("address", ["10.1.2.3", "fd12::1", "127.0.0.1", "203.0.113.7"])
def test_private_and_public_addresses_are_taken(address: str) -> None:
    names = OwnServiceNames(Says(address))
    assert asyncio.run(names.resolve("kong.railway.internal")) == (address,)
    assert names.cached("kong.railway.internal") == (address,)


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"])
def test_one_address_of_metadata_refuses_the_name(address: str) -> None:
    names = OwnServiceNames(Says("203.0.113.7", address))
    for asked in (lambda: asyncio.run(names.resolve("evil.example")), lambda: names.cached("evil.example")):
        with pytest.raises(EgressError) as refused:
            asked()
        assert refused.value.reason == "refused_address"
        assert address not in refused.value.message

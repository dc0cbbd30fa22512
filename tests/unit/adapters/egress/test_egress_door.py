"""What is refused before it is stored: names that cannot be public, where no network is open for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest

from ogel.adapters.egress import AddressGuard, Door, InvalidUrl, RefusedAddress, SystemResolver
from ogel.adapters.egress import door as doors
from ogel.knobs import networks
from ogel.runtime.egress import EgressError

LOOPBACK = "127.0.0.0/8,::1/128"
COMPOSE = "172.16.0.0/12"
# What the operator's own network says. All other names are not there (yet).
FOUND = {
    "localhost": ("::1", "127.0.0.1"),
    "app.localhost": ("127.0.0.1",),
    "app.test": ("127.0.0.1",),
    "receiver": ("172.18.0.5",),
    "host.docker.internal": ("172.17.0.1",),
    "wild.lan": ("93.184.216.34",),
    "mixed.internal": ("172.18.0.5", "93.184.216.34"),
}


class Names:
    def __init__(self, found: Mapping[str, tuple[str, ...]] = FOUND) -> None:
        self._found = found
        self.asked: list[str] = []

    def cached(self, host: str) -> None:
        return None

    def is_silent(self, host: str) -> bool:
        return False

    async def resolve(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        if host not in self._found:
            raise EgressError("dns", "the name does not exist")
        return self._found[host]


def taken(url: str, nets: str, names: Names | None = None) -> bool:
    door = Door(AddressGuard(allow=networks().parse(nets)), names or Names())
    try:
        asyncio.run(door.check_url(url))
    except RefusedAddress:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "nowhere_open", "loopback_open", "compose_open"),
    [
        ("localhost", False, True, False),
        ("LOCALHOST.", False, True, False),
        ("app.localhost", False, True, False),
        ("\uff4cocalhost", False, True, False),
        ("app.test", False, True, False),
        ("receiver", False, False, True),
        ("not-started-yet", False, False, True),
        ("host.docker.internal", False, False, True),
        ("redis.railway.internal", False, False, True),
        ("redis.railway。internal", False, False, True),
        ("printer.local", False, False, True),
        ("nas.lan", False, False, True),
        ("router.home.arpa", False, False, True),
        ("wild.lan", False, False, False),
        ("mixed.internal", False, False, False),
        ("a.invalid", False, False, False),
        ("a.onion", False, False, False),
        ("93.184.216.34", True, True, True),
        ("example.com", True, True, True),
        ("straße.example", True, True, True),
    ],
)
def test_a_private_name_is_taken_where_a_network_is_open_for_it(
    host: str, nowhere_open: bool, loopback_open: bool, compose_open: bool
) -> None:
    found = [taken(f"http://{host}:8080/hook", nets) for nets in ("", LOOPBACK, COMPOSE)]
    assert found == [nowhere_open, loopback_open, compose_open]


def test_public_names_are_not_looked_up_and_neither_are_those_of_nowhere() -> None:
    names = Names()
    for host in ("example.com", "a.onion", "a.invalid", "127.0.0.1"):
        taken(f"http://{host}/", LOOPBACK, names)
    taken("http://redis.internal/", "", names)
    assert names.asked == []


def test_a_wrong_url_is_told_from_a_refused_one() -> None:
    with pytest.raises(InvalidUrl):
        taken("http://xn--.example/", LOOPBACK)


def test_a_look_up_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LOOK_UP_SECONDS", 0.05)

    def hang(host: str) -> tuple[str, ...]:
        time.sleep(1)
        return ("127.0.0.1",)

    async def story() -> None:
        with pytest.raises(RefusedAddress):
            await Door(AddressGuard(allow=networks().parse(LOOPBACK)), SystemResolver(hang)).check_url(
                "http://app.test/"
            )

    asyncio.run(story())

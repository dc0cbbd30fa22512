"""Names of the hosts file, which the C library does not find there by the absolute form it is asked for."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from ogel.adapters.egress import hosts_file, system_names
from ogel.adapters.egress.hosts_file import addresses_in_hosts
from ogel.adapters.egress.resolver import SystemResolver
from ogel.adapters.egress.system_names import HostsAnswer, system_look_up
from ogel.runtime.egress import EgressError

HOSTS = """\
# written by hand
127.0.0.1\tlocalhost localhost.localdomain
172.17.0.1   host.docker.internal  # docker's extra_hosts
fd12::1      host.docker.internal host.docker.internal
172.17.0.1   host.docker.internal
10.0.0.7 \t Receiver.Example.com receiver
#10.0.0.8 off.example.com
10.0.0.9 a.example.com # b.example.com
nonsense receiver.example.com
10.0.0.10
fe80::1%lo scoped.example.com
\xff\xfe bytes.example.com
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(HOSTS, "latin-1")
    return path


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("host.docker.internal", ("172.17.0.1", "fd12::1")),
        ("localhost.localdomain", ("127.0.0.1",)),
        ("receiver.example.com", ("10.0.0.7",)),
        ("a.example.com", ("10.0.0.9",)),
        ("scoped.example.com", ("fe80::1%lo",)),  # which the guard refuses
        ("b.example.com", ()),
        ("off.example.com", ()),
        ("example.com", ()),
        ("docker.internal", ()),
        ("bytes.example.com", ()),
        ("10.0.0.7", ()),
    ],
)
def test_all_lines_of_a_name_are_its_addresses(hosts: Path, host: str, found: tuple[str, ...]) -> None:
    assert addresses_in_hosts(host, hosts) == found


def test_a_missing_file_and_a_directory_hold_no_names(tmp_path: Path) -> None:
    assert addresses_in_hosts("a.example.com", tmp_path / "none") == ()
    assert addresses_in_hosts("a.example.com", tmp_path) == ()


def test_a_huge_file_is_read_in_part(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_file, "MAX_BYTES", 60)
    assert addresses_in_hosts("localhost.localdomain", hosts) == ("127.0.0.1",)
    assert addresses_in_hosts("receiver.example.com", hosts) == ()


def test_the_hosts_file_comes_before_the_name_servers(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", ("93.184.216.34", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(system_names, "addresses_in_hosts", lambda host: addresses_in_hosts(host, hosts))
    local, public = system_look_up("host.docker.internal"), system_look_up("example.com")
    assert (local, public) == (("172.17.0.1", "fd12::1"), ("93.184.216.34",))
    assert asked == ["example.com."]
    assert isinstance(local, HostsAnswer) and not isinstance(public, HostsAnswer)


def test_a_name_of_the_hosts_file_proves_nothing_about_the_name_servers() -> None:
    def look_up(host: str) -> tuple[str, ...]:
        if host == "ours.example":
            return HostsAnswer(("10.0.0.7",))
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    async def story() -> None:
        resolver = SystemResolver(look_up)
        assert await resolver.resolve("ours.example") == ("10.0.0.7",)
        with pytest.raises(EgressError) as failed:
            await resolver.resolve("theirs.example")
        assert failed.value.ours

    asyncio.run(story())

"""Where registered databases may be."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ogel.adapters.databases.addresses import addresses_of, check_host, first_open
from ogel.runtime.database.registered import HostRefused, TargetError
from tests.support.process import free_port


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "::",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
    ],
)
def test_an_address_that_hands_out_secrets_is_refused(host: str) -> None:
    with pytest.raises(HostRefused):
        check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.9",
        "172.17.0.2",
        "100.64.0.1",
        "::1",
        "fd12::1",
        "8.8.8.8",
        "db.internal",
    ],
)
def test_private_and_public_addresses_are_taken(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518"])
def test_a_number_is_what_it_resolves_to(host: str) -> None:
    with pytest.raises((HostRefused, TargetError)):  # some resolvers take no such numbers
        asyncio.run(addresses_of(host, 80))


def test_a_name_that_nobody_knows_is_an_error_that_names_it() -> None:
    with pytest.raises(TargetError, match=r"host 'nobody\.invalid' cannot be found"):
        asyncio.run(addresses_of("nobody.invalid", 80))


@pytest.mark.parametrize("host", ["a" * 300, "a..b", "é" * 70])
def test_what_is_no_name_is_an_error_too(host: str) -> None:
    with pytest.raises(TargetError, match="cannot be found"):
        asyncio.run(addresses_of(host, 80))


def test_the_first_address_that_takes_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert asyncio.run(first_open(["127.0.0.2", "127.0.0.1"], port)) == "127.0.0.1"
    with pytest.raises(TargetError, match="Connection refused"):
        asyncio.run(first_open(["127.0.0.1"], free_port()))

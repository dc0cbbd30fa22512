"""Whose address a request has: that of the peer, or what a trusted proxy says in X-Real-IP, and nothing else."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ogel.runtime.http.endpoint import HttpOptions
from ogel.runtime.http.exchange import Clients, Network

RAILWAY = HttpOptions().trusted_proxies
EDGE, STRANGER, CLIENT = "100.64.0.5", "198.51.100.9", "203.0.113.7"
FORGED = {
    "X-Forwarded-For": "192.0.2.66",
    "Forwarded": "for=192.0.2.66",
    "CF-Connecting-IP": "192.0.2.66",
    "True-Client-IP": "192.0.2.66",
    "X-Client-IP": "192.0.2.66",
    "X-Envoy-External-Address": "192.0.2.66",
}


def seen(peer: str, *headers: tuple[str, str], trusted: tuple[Network, ...] = tuple(RAILWAY)) -> str | None:
    named = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Clients(trusted).ip({"client": (peer, 50_000), "headers": named})


def test_the_default_trusts_railways_edge_and_nobody_else() -> None:
    assert list(RAILWAY) == [ip_network("100.64.0.0/10")]


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        # Nobody speaks for the peer.
        (STRANGER, {}, STRANGER),
        (STRANGER, {"X-Real-IP": CLIENT}, STRANGER),
        (STRANGER, {"X-Real-IP": CLIENT, **FORGED}, STRANGER),
        ("127.0.0.1", {"X-Real-IP": CLIENT}, "127.0.0.1"),
        ("10.0.0.1", {"X-Real-IP": CLIENT}, "10.0.0.1"),
        ("100.63.255.255", {"X-Real-IP": CLIENT}, "100.63.255.255"),
        ("100.128.0.0", {"X-Real-IP": CLIENT}, "100.128.0.0"),
        # Railway's edge does, from both ends of its network. What the client forged it has overwritten or left in names
        # that we do not look at.
        (EDGE, {"X-Real-IP": CLIENT}, CLIENT),
        ("100.64.0.0", {"X-Real-IP": CLIENT}, CLIENT),
        ("100.127.255.255", {"X-Real-IP": CLIENT}, CLIENT),
        (EDGE, {"X-Real-IP": CLIENT, **FORGED}, CLIENT),
        (EDGE, {"x-real-ip": f"  {CLIENT} "}, CLIENT),
        # Its X-Forwarded-For ends in a hop of its own that changes; behind Cloudflare it begins with one of theirs,
        # and X-Real-IP is the browser's.
        (EDGE, {"X-Real-IP": CLIENT, "X-Forwarded-For": f"{CLIENT}, 152.233.4.9"}, CLIENT),
        (EDGE, {"X-Real-IP": CLIENT, "X-Forwarded-For": "172.68.10.4, 152.233.4.9"}, CLIENT),
        (EDGE, {"X-Forwarded-For": f"{CLIENT}, 152.233.4.9"}, EDGE),
        # IPv6, and IPv4 written as IPv6: the peer of a dual-stack socket, or what a proxy makes of it.
        (EDGE, {"X-Real-IP": "2001:DB8:0:0::7"}, "2001:db8::7"),
        ("2001:db8::9", {"X-Real-IP": CLIENT}, "2001:db8::9"),
        ("::ffff:198.51.100.9", {"X-Real-IP": CLIENT}, STRANGER),
        ("::ffff:100.64.0.5", {"X-Real-IP": CLIENT}, CLIENT),
        (EDGE, {"X-Real-IP": "::ffff:203.0.113.7"}, CLIENT),
        ("::ffff:100.64.0.5", {"X-Real-IP": "::FFFF:cb00:7107"}, CLIENT),
        # What is no address is nobody's.
        (EDGE, {"X-Real-IP": ""}, EDGE),
        (EDGE, {"X-Real-IP": "unknown"}, EDGE),
        (EDGE, {"X-Real-IP": f"{CLIENT}, {STRANGER}"}, EDGE),
        (EDGE, {"X-Real-IP": f"{CLIENT}:443"}, EDGE),
        (EDGE, {"X-Real-IP": "[2001:db8::7]"}, EDGE),
        (EDGE, {"X-Real-IP": "203.0.113.007"}, EDGE),
        (EDGE, {"X-Real-IP": "3405803783"}, EDGE),
        (EDGE, {"X-Real-IP": "fe80::1%' or 1=1"}, EDGE),
        (EDGE, {"X-Real-IP": "\u00b2\u00b2.1.1.1"}, EDGE),
        ("no address", {"X-Real-IP": CLIENT}, None),
    ],
)  # fmt: skip
def test_the_table_of_addresses(peer: str, headers: dict[str, str], client: str | None) -> None:
    assert seen(peer, *headers.items()) == client


def test_of_two_words_none_is_believed() -> None:
    assert seen(EDGE, ("X-Real-IP", "192.0.2.66"), ("X-Real-IP", CLIENT)) == EDGE
    assert seen(EDGE, ("X-Real-IP", CLIENT), ("X-Real-IP", CLIENT)) == EDGE


def test_other_proxies_are_trusted_when_settings_say_so() -> None:
    inside = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert seen("10.1.2.3", ("X-Real-IP", CLIENT), trusted=inside) == CLIENT
    assert seen("fd12::1", ("X-Real-IP", "2001:db8::7"), trusted=inside) == "2001:db8::7"
    assert seen(EDGE, ("X-Real-IP", CLIENT), trusted=inside) == EDGE
    assert seen(EDGE, ("X-Real-IP", CLIENT), trusted=()) == EDGE


def test_who_has_no_address_has_none() -> None:
    assert Clients(RAILWAY).ip({"client": None, "headers": []}) is None

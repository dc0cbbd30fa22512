"""Where a service is asked."""

from __future__ import annotations

from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.wire.places import Place, places_of
from ogel.runtime.railway import Instance, TcpProxy


def places(
    kind: Kind, variables: dict[str, str] | None = None, inside: bool = False, **of: object
) -> list[str]:
    made = Instance("s", "svc", "e", **of)  # type: ignore[arg-type]
    found = places_of(made, kind, variables or {}, inside=inside)
    return [f"{each.way}: {each.speaks} {each.url}" for each in found]


def test_public_names_are_asked_by_https_and_proxies_by_what_they_lead_to() -> None:
    proxies = [
        TcpProxy("p", "maglev.proxy.rlwy.net", 20105, 8001),
        TcpProxy("q", "a.proxy.rlwy.net", 1, 5432),
    ]
    assert places("kong", domains=["api.example.com"], proxies=proxies) == [
        "public domain: http https://api.example.com",
        "TCP proxy: http http://maglev.proxy.rlwy.net:20105",
        "TCP proxy: postgres http://a.proxy.rlwy.net:1",
    ]


def test_private_names_are_asked_from_inside_alone() -> None:
    assert places("gotrue", private_domain="auth.railway.internal") == []
    inside = places("gotrue", private_domain="auth.railway.internal", inside=True)
    assert inside == ["private network: http http://auth.railway.internal:9999"]


def test_ports_are_those_that_variables_say() -> None:
    where = {"private_domain": "x.railway.internal", "inside": True}
    assert places("postgres_meta", {"PG_META_PORT": "5555"}, **where) == [  # type: ignore[arg-type]
        "private network: http http://x.railway.internal:5555"
    ]
    assert places("kong", {"PORT": "80"}, **where) == [  # type: ignore[arg-type]
        "private network: http http://x.railway.internal:8001",
        "private network: http http://x.railway.internal:8000",
        "private network: http http://x.railway.internal",
    ]
    assert places("gotrue", {"PORT": "${{X.PORT}}"}, **where) == [  # type: ignore[arg-type]
        "private network: http http://x.railway.internal:9999"
    ]
    assert places("mongodb", **where) == ["private network: mongodb http://x.railway.internal:27017"]  # type: ignore[arg-type]


def test_what_is_no_host_is_not_asked() -> None:
    hostile = ["a b", "evil@169.254.169.254", "x/../y", "", "a:80", "x" * 300]
    proxies = [TcpProxy("p", each, 80, 80) for each in hostile] + [TcpProxy("p", "good.example", 70000, 80)]
    assert places("kong", domains=hostile, proxies=proxies, private_domain="a b", inside=True) == []


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert Place("TCP proxy", "http", "fd12::1", 8080).url == "http://[fd12::1]:8080"

"""Who refers to whom."""

from __future__ import annotations

import time

import pytest

from ogel.features.consolidation.use.references import _REFERENCE, referrers
from ogel.features.network.moves.view import REFERENCE
from ogel.runtime.railway import Instance, TcpProxy

KONG = Instance(
    "kong",
    "Kong",
    "e",
    domains=["kong-production.up.railway.app", "api.example.com"],
    private_domain="kong.railway.internal",
    proxies=[TcpProxy("p", "maglev.proxy.rlwy.net", 20105, 8001)],
)
META = Instance("meta", "Postgres Meta", "e", private_domain="meta.railway.internal")
WEB = Instance("web", "web", "e", domains=["web.example.com"], private_domain="web.railway.internal")


def found(variables: dict[str, str], shared: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    by = referrers([KONG, META, WEB], {"web": variables}, shared or {})
    return sorted((id, each.variable, each.how) for id, several in by.items() for each in several)


@pytest.mark.parametrize(
    ("value", "target", "how"),
    [
        ("https://${{Kong.RAILWAY_PUBLIC_DOMAIN}}/auth", "kong", "reference"),
        ("http://${{ Postgres Meta.RAILWAY_PRIVATE_DOMAIN }}:8080", "meta", "reference"),
        ("http://kong.railway.internal:8000", "kong", "private name"),
        ("HTTP://KONG.railway.internal", "kong", "private name"),
        ("http://meta:8080", "meta", "private name"),
        ("http://meta", "meta", "private name"),
        ("postgresql://kong:secret@meta:5432/db", "meta", "private name"),
        ("postgresql://user:80@meta/db", "meta", "private name"),
        ("https://kong-production.up.railway.app", "kong", "public name"),
        ("https://api.example.com/rest/v1", "kong", "public name"),
        ("redis://maglev.proxy.rlwy.net:20105", "kong", "TCP proxy"),
    ],
)
def test_every_way_to_name_a_service_is_known(value: str, target: str, how: str) -> None:
    assert found({"URL": value}) == [(target, "URL", how)]


@pytest.mark.parametrize(
    "value",
    [
        "http://hongkong.railway.internal",
        "http://kong.railway.internal.example.com",
        "https://notapi.example.com",
        "https://api.example.community",
        "https://maglev.proxy.rlwy.net:33333",
        "kong",
        "postgresql://kong:5432@db.example/x",
        "https://kong@other.example",
        "http://kong-staging:8000",
        "kong:8000",
        "${{kong.URL}}",
        "a meta description",
        "${{Kong",
        "",
    ],
)
def test_what_only_looks_like_it_is_none(value: str) -> None:
    assert found({"X": value}) == []


def test_a_host_and_a_port_may_stand_in_two_variables() -> None:
    given = {"POSTGRES_HOST": "maglev.proxy.rlwy.net", "POSTGRES_PORT": "20105"}
    assert found(given) == [("kong", "POSTGRES_HOST", "TCP proxy")]
    assert found({"POSTGRES_HOST": "maglev.proxy.rlwy.net", "POSTGRES_PORT": "5432"}) == []


def test_what_railway_gives_to_everybody_is_no_use_and_neither_is_ones_own() -> None:
    assert found({"RAILWAY_SERVICE_KONG_URL": "kong-production.up.railway.app"}) == []
    assert found({"SITE_URL": "https://web.example.com"}) == []


def test_shared_variables_are_followed_where_somebody_uses_them() -> None:
    shared = {"GATEWAY": "http://${{Kong.RAILWAY_PRIVATE_DOMAIN}}:8000", "LOOP": "${{shared.LOOP}}"}
    assert found({"URL": "${{shared.GATEWAY}}"}, shared) == [("kong", "URL", "reference")]
    assert found({"URL": "${{shared.LOOP}}"}, shared) == []
    assert found({"URL": "none"}, shared) == []


def test_one_variable_counts_once() -> None:
    both = "https://api.example.com,https://kong-production.up.railway.app,${{Kong.PORT}}"
    assert found({"URLS": both}) == [("kong", "URLS", "reference")]


def test_a_huge_value_takes_no_time() -> None:
    huge = {
        "X": "${{" * 200_000,
        "Y": "a.b-" * 100_000,
        "Z": "://kongs" * 100_000,
        "V": "://kong:1" + "x" * 100_000,
    }
    assert found(huge) == []


def test_a_value_of_spaces_is_gone_through_once() -> None:
    """Where each space could be a part of three things, 64,000 of them took hours."""
    began = time.monotonic()
    for pattern in (_REFERENCE, REFERENCE):
        assert pattern.findall("${{" + " " * 64_000) == []
        assert pattern.search("${{ My Service . URL }}")
    assert time.monotonic() - began < 1

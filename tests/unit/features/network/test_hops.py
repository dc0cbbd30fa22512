"""Public hops of a process, by the names in its settings: what is said of them when it starts."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ogel.cli.doctor.network import public_hops
from ogel.cli.doctor.patient import met
from ogel.environ import read_settings
from ogel.features.network.hops import RULE, PublicHops
from ogel.kernel.errors import ConfigError
from ogel.platform.named_servers import named_servers
from ogel.runtime.network.place import Place, place_of
from ogel.runtime.network.server import NamedServer

PASSWORD = "hWkzNQtbPpVdRmXy"
ENVIRON = {
    "POSTGRES_HOST": "maglev.proxy.rlwy.net",
    "POSTGRES_PORT": "20105",
    "REDIS_INTERNAL_URL": f"redis://:{PASSWORD}@redis.railway.internal:6379",
    "MONGO_URL": f"mongodb://u:{PASSWORD}@mongo-a.railway.internal:27017,roundhouse.proxy.rlwy.net:41000/?tls=true",
    "STORAGE_BACKEND": "railway",
    "BUCKET": "b",
    "ACCESS_KEY_ID": "k",
    "SECRET_ACCESS_KEY": "s",
    "SMTP_URL": f"smtp://u:{PASSWORD}@smtp.example.com",
    "OGEL_UPSTREAMS": "/studio=http://studio.railway.internal:3000,/api=https://api-production.up.railway.app",
    "OGEL_CLAMAV": "clamav.railway.internal:3310",
    "OGEL_EGRESS_PROXY": "http://proxy.railway.internal:3128",
}
HOPS = {"POSTGRES_HOST": "postgres", "MONGO_URL": "mongo", "OGEL_UPSTREAMS": "upstream /api"}


def servers() -> list[NamedServer]:
    return [*named_servers(read_settings(ENVIRON).settings)]


def hops(choice: str, on_railway: bool = True) -> tuple[PublicHops, CollectorRegistry]:
    registry = CollectorRegistry()
    return PublicHops(servers(), choice, on_railway, registry), registry  # type: ignore[arg-type]


def test_each_server_is_known_with_the_variable_that_names_it() -> None:
    known = {each.name: (each.variable, each.protocol, each.places[0]) for each in servers()}
    assert known == {
        "postgres": ("POSTGRES_HOST", "postgresql", ("maglev.proxy.rlwy.net", 20105)),
        "redis": ("REDIS_INTERNAL_URL", "redis", ("redis.railway.internal", 6379)),
        "mongo": ("MONGO_URL", "mongodb", ("mongo-a.railway.internal", 27017)),
        "storage": (None, "http", ("storage.railway.app", 443)),
        "egress proxy": ("OGEL_EGRESS_PROXY", "tcp", ("proxy.railway.internal", 3128)),
        "mail by SMTP": ("SMTP_URL", "smtp", ("smtp.example.com", 587)),
        "upstream /studio": ("OGEL_UPSTREAMS", "http", ("studio.railway.internal", 3000)),
        "upstream /api": ("OGEL_UPSTREAMS", "http", ("api-production.up.railway.app", 443)),
        "scanner": ("OGEL_CLAMAV", "tcp", ("clamav.railway.internal", 3310)),
    }
    assert PASSWORD not in repr(servers())
    [mongo] = [each for each in servers() if each.name == "mongo"]
    assert [(each.name, each.places) for each in mongo.each()] == [
        ("mongo 1", [("mongo-a.railway.internal", 27017)]),
        ("mongo 2", [("roundhouse.proxy.rlwy.net", 41000)]),
    ]


def test_a_process_warns_once_counts_and_is_sampled() -> None:
    found, registry = hops("warn")
    with capture_logs() as logs:
        found.at_start()
    assert {each["variable"]: each["server"] for each in logs} == HOPS
    assert {each["event"] for each in logs} == {"network.public_hop"}
    assert PASSWORD not in str(logs)
    assert registry.get_sample_value("ogel_public_hops") == 3
    [sample] = asyncio.run(found.samples())  # type: ignore[arg-type]
    assert (sample.name, sample.value, RULE.is_over(sample.value)) == (RULE.sample, 3, True)


def test_one_that_refuses_does_not_start() -> None:
    found, _ = hops("refuse")
    with pytest.raises(ConfigError) as refused:
        found.at_start()
    lines = refused.value.message.splitlines()
    assert (
        lines[0]
        == "POSTGRES_HOST leads to maglev.proxy.rlwy.net, which is public; OGEL_PUBLIC_HOPS is refuse"
    )
    assert len(lines) == 3 and PASSWORD not in refused.value.message


@pytest.mark.parametrize(("choice", "on_railway"), [("allow", True), ("warn", False), ("refuse", False)])
def test_nothing_is_said_where_nobody_wants_to_know(choice: str, on_railway: bool) -> None:
    found, registry = hops(choice, on_railway)
    with capture_logs() as logs:
        found.at_start()
    assert logs == [] and registry.get_sample_value("ogel_public_hops") == 0


def test_the_doctor_names_them_on_railway_only() -> None:
    assert public_hops(met({**ENVIRON, "PORT": "1"})) == []
    found = public_hops(met({**ENVIRON, "PORT": "1", "RAILWAY_ENVIRONMENT_ID": "e"}))
    assert [(each.ok, each.detail.partition(" ")[0]) for each in found] == [(False, name) for name in HOPS]
    private = {
        "DATABASE_URL": "postgresql://postgres.railway.internal/x",
        "RAILWAY_ENVIRONMENT_ID": "e",
        "PORT": "1",
    }
    assert [each.ok for each in public_hops(met(private))] == [True]


@pytest.mark.parametrize(
    ("host", "addresses", "alias", "place"),
    [
        ("postgres.railway.internal", (), None, "private"),
        ("Postgres.Railway.Internal.", (), None, "private"),
        ("localhost", (), None, "private"),
        ("/var/run/postgresql", (), None, "private"),
        ("10.1.2.3", (), None, "private"),
        ("fd12::10", (), None, "private"),
        ("fe80::1%eth0", (), None, "private"),
        ("::ffff:192.168.0.1", (), None, "private"),
        ("100.64.0.7", (), None, "private"),
        ("100.128.0.7", (), None, "elsewhere"),
        ("8.8.8.8", (), None, "elsewhere"),
        ("redis", ("172.18.0.2",), None, "private"),
        ("redis", ("172.18.0.2", "8.8.8.8"), None, "elsewhere"),
        ("db.example.com", ("1.2.3.4",), "abc.proxy.rlwy.net", "public hop"),
        ("maglev.proxy.rlwy.net", ("127.0.0.1",), None, "public hop"),
        ("containers-us-west-12.railway.app", (), None, "public hop"),
        ("api-production.up.railway.app", (), None, "public hop"),
        ("storage.railway.app", (), None, "bucket"),
        ("bucket.t3.storageapi.dev", (), None, "bucket"),
        ("fly.storage.tigris.dev", (), None, "bucket"),
        ("nottigris.dev", (), None, "elsewhere"),
        ("evilproxy.rlwy.net", (), None, "elsewhere"),
        ("x.proxy.rlwy.net.evil.test", (), None, "elsewhere"),
    ],
)
def test_where_a_host_is(host: str, addresses: tuple[str, ...], alias: str | None, place: Place) -> None:
    assert place_of(host, addresses, alias) == place

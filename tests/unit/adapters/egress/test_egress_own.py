"""Our own services: which hosts they are, and their addresses kept up to date."""

import asyncio

import pytest

from ogel.adapters.egress import (
    AddressGuard,
    EgressError,
    OwnHosts,
    OwnServices,
    ProxyAddress,
    RefusedAddress,
)
from ogel.adapters.egress import own as owning
from ogel.environ import read_settings
from ogel.kernel.errors import ConfigError
from ogel.platform.platform import Platform
from tests.support.egress_receiver import Names


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://user:p%40ss@DB.Example:5432/ogel", {"db.example"}),
        (
            "postgresql://u@a.example:1,b.example:2/ogel?target_session_attrs=read-write",
            {"a.example", "b.example"},
        ),
        ("postgresql:///ogel?host=/run/postgresql", set()),
        ("postgresql://%2Frun%2Fpostgresql:5432/ogel", set()),
        ("postgresql:///ogel?host=a.example,2606:4700::1&port=1,2", {"a.example", "2606:4700::1"}),
        ("redis://:secret@[fd12::10]:6379/0?family=0", {"fd12::10"}),
        ("mongodb://u:p@m1.example:27017,m2.example/db?replicaSet=r", {"m1.example", "m2.example"}),
        ("http://user:pass@proxy.example:3128", {"proxy.example"}),
        ("//ogel.railway.internal", {"ogel.railway.internal"}),
    ],
)
def test_every_host_of_a_server_s_url_is_found(url: str, hosts: set[str]) -> None:
    assert OwnHosts.of([url, None], [None]) == OwnHosts(frozenset(hosts), frozenset())


def test_addresses_are_kept_when_a_look_up_fails_and_forgotten_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Moving(Names):
        async def resolve(self, host: str) -> tuple[str, ...]:
            if not answers:
                raise EgressError("dns", "the name servers did not answer")
            return answers.pop(0)

    answers = [("93.184.216.34",), ("93.184.216.35", "fe80::1%eth0")]
    guard = AddressGuard()

    def refused(host: str) -> bool:
        try:
            guard.check_url(f"http://{host}/")
        except RefusedAddress:
            return True
        return False

    async def story() -> None:
        own = OwnServices(guard, OwnHosts(frozenset({"db.example"}), frozenset()), Moving())
        assert not refused("93.184.216.34")
        for known in ({34}, {34, 35}, {34, 35}):
            await own.look()
            assert {n for n in (34, 35, 36) if refused(f"93.184.216.{n}")} == known
        generation = guard.generation
        await own.look()
        assert guard.generation == generation
        monkeypatch.setattr(owning, "KEEP_SECONDS", -1.0)
        await own.look()
        assert not refused("93.184.216.34")
        assert guard.generation == generation + 1

    asyncio.run(story())


def test_a_name_that_hangs_does_not_hold_up_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half(Names):
        async def resolve(self, host: str) -> tuple[str, ...]:
            if host == "hangs.example":
                await asyncio.Event().wait()
            return ("93.184.216.34",)

    monkeypatch.setattr(owning, "LOOK_SECONDS", 0.05)
    guard = AddressGuard()

    async def story() -> None:
        hosts = OwnHosts(frozenset({"hangs.example", "db.example"}), frozenset())
        await asyncio.wait_for(OwnServices(guard, hosts, Half()).look(), 2)

    asyncio.run(story())
    with pytest.raises(RefusedAddress):
        guard.check_url("http://93.184.216.34/")


def test_it_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Names):
        async def resolve(self, host: str) -> tuple[str, ...]:
            self.asked.append(host)
            if len(self.asked) == 3:
                thrice.set()
            return ()

    thrice = asyncio.Event()

    async def story() -> None:
        hosts = OwnHosts(frozenset({"db.example"}), frozenset())
        own = OwnServices(AddressGuard(), hosts, Counting(), refresh_seconds=0.01)
        looking = asyncio.create_task(own.keep_looking())
        await asyncio.wait_for(thrice.wait(), 5)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    asyncio.run(story())


ENVIRONMENT = {
    "DATABASE_URL": "postgresql://u:p@db.example:5432/ogel",
    "REDIS_URL": "redis://cache.example:6379",
    "MONGO_URL": "mongodb://mongo.example",
    "OGEL_EGRESS_PROXY": "http://someone:hunter2@proxy.example:3128",
    "RAILWAY_PRIVATE_DOMAIN": "ogel.railway.internal",
    "RAILWAY_PUBLIC_DOMAIN": "ogel.up.example",
    "S3_ENDPOINT": "https://store.example",
    "OGEL_ADMIN_KEY": "k" * 24,
    "OGEL_SECRET": "s" * 24,
}


def test_the_platform_tells_the_guard_and_looks_nothing_up() -> None:
    platform = Platform(read_settings(ENVIRONMENT).settings)
    guard = platform.servers.guard
    for host in ("db", "cache", "mongo", "proxy", "store", "ogel.up"):
        with pytest.raises(RefusedAddress):
            guard.check_url(f"https://{host}.example/")
    assert guard.check_url("https://hooks.ogel.up.example/").host == "hooks.ogel.up.example"
    # A shared front's addresses are those of other people's receivers, too.
    assert platform.servers.own_services._hosts == [
        "cache.example", "db.example", "mongo.example", "ogel.railway.internal", "proxy.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "proxy.example:3128",
        "http://proxy.example",
        "http://someone:hunter2@proxy.example",
        "https://someone:hunter2@proxy.example:443",
        "socks5://someone:hunter2@proxy.example:1080",
        "http://someone:hunter2@proxy.example:3128/path",
        "http://someone:hunter2@proxy.example:70000",
        "http://someone:hunter2@proxy.example:0",
    ],
)
def test_a_wrong_proxy_is_refused_and_its_password_not_shown(value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings({**ENVIRONMENT, "OGEL_EGRESS_PROXY": value})
    assert "OGEL_EGRESS_PROXY" in str(refused.value)
    assert "it takes http://[user:password@]host:port" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_proxy_s_credentials_are_decoded_and_never_shown() -> None:
    address = ProxyAddress.of("http://us%40er:p%3Ass@[fd12::1]:3128")
    assert (address.host, address.port) == ("fd12::1", 3128)
    assert address.authorization == "Basic dXNAZXI6cDpzcw=="
    assert repr(address) == "ProxyAddress(host='fd12::1', port=3128)"

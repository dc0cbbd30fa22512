"""What must never be connected to: a canary listens on loopback, and hears nothing."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from ogel.adapters.egress import (
    AddressGuard,
    EgressClient,
    OwnHosts,
    OwnServices,
    SystemResolver,
    system_names,
)
from ogel.adapters.egress.hosts_file import addresses_in_hosts
from tests.support.egress_corpus import Canary, forbidden_answers, forbidden_urls
from tests.support.egress_receiver import Names, Receiver, Run, a_client, failure, say_ok, send


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as canary:
        yield canary


def test_no_spelling_of_a_forbidden_place_reaches_the_canary(run: Run, canary: Canary) -> None:
    cases = list(forbidden_urls(canary.port))
    assert len(cases) >= 150
    assert len(dict(cases)) == len(cases)

    async def story() -> None:
        names = Names(("93.184.216.34",))
        client = EgressClient(AddressGuard(), resolver=names)
        for name, url in cases:
            error = await failure(client, url)
            found = (error.reason, error.ours, error.peer, error.timings.dns, error.timings.connect)
            assert found == ("refused_address", False, None, None, None), name
            assert "127." not in error.message, name
        assert names.asked == []
        await client.close()

    run(story())
    assert not canary.heard()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]"])
def test_the_canary_would_hear(run: Run, canary: Canary, host: str) -> None:
    async def story() -> None:
        async with a_client("127.0.0.0/8") as client:
            error = await failure(client, f"http://{host}:{canary.port}/", timeout_seconds=0.1)
            assert (error.reason, error.peer) == ("timeout", "127.0.0.1")

    run(story())
    assert canary.heard()


@pytest.mark.parametrize(
    "answers", [answers for _, answers in forbidden_answers()], ids=[name for name, _ in forbidden_answers()]
)
def test_a_public_name_with_a_private_answer_is_refused(
    run: Run, canary: Canary, answers: tuple[str, ...]
) -> None:
    async def story() -> None:
        client = EgressClient(AddressGuard(), resolver=Names(answers))
        error = await failure(client, f"http://hooks.example:{canary.port}/")
        await client.close()
        assert (error.reason, error.ours, error.peer) == ("refused_address", False, None)
        assert not any(answer in error.message for answer in answers)
        assert all(answer in error.detail for answer in answers)

    run(story())
    assert not canary.heard()


@pytest.mark.parametrize(("address", "reached"), [("127.0.0.1", True), ("10.0.0.7", False)])
def test_a_name_of_the_hosts_file_is_called_where_its_network_is_open(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, reached: bool
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{address}\thost.docker.internal hooks.example.com\n")
    monkeypatch.setattr(system_names, "addresses_in_hosts", lambda host: addresses_in_hosts(host, hosts))

    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client(resolver=SystemResolver()) as client:
            for host in ("host.docker.internal", "hooks.example.com"):
                url = f"http://{host}:{receiver.port}/"
                if reached:
                    assert (await send(client, url)).peer == address
                else:
                    assert (await failure(client, url)).reason == "refused_address"

    run(story())


def test_a_rebinding_name_is_refused_at_the_moment_it_turns(run: Run) -> None:
    """127.0.0.2 plays the public address, 127.0.0.1 the private one behind the second answer."""

    async def story() -> None:
        names = Names(("127.0.0.2",), ("127.0.0.1",))
        async with (
            Receiver(say_ok).listening("127.0.0.2") as public,
            a_client("127.0.0.2/32", resolver=names) as client,
        ):
            url = f"http://hooks.example:{public.port}/"
            assert (await send(client, url)).peer == "127.0.0.2"
            canary = await asyncio.start_server(lambda *_: heard.set(), "127.0.0.1", public.port)
            async with canary:
                assert (await failure(client, url)).reason == "refused_address"
                # Looked up once for each request: there is no second question that could get another answer.
                assert names.asked == ["hooks.example"] * 2
                assert not heard.is_set()
        assert public.connections == 1

    heard = asyncio.Event()
    run(story())


def test_a_rebinding_name_is_refused_by_the_system_s_resolver_too(run: Run, canary: Canary) -> None:
    """The remembered answer is the vetted one; when it is asked for again, it is vetted again."""
    answers = [("127.0.0.2",), ("127.0.0.2", "127.0.0.1")]

    async def story() -> None:
        resolver = SystemResolver(lambda host: answers.pop(0))
        async with (
            Receiver(say_ok).listening("127.0.0.2") as public,
            a_client("127.0.0.2/32", resolver=resolver) as client,
        ):
            url = f"http://hooks.example:{public.port}/"
            for _ in range(2):
                assert (await send(client, url)).peer == "127.0.0.2"
            assert len(answers) == 1
            resolver._cache.clear()
            assert (await failure(client, url)).reason == "refused_address"

    run(story())


def test_a_redirect_to_a_private_address_is_not_followed(run: Run, canary: Canary) -> None:
    async def story() -> None:
        for status in (301, 302, 303, 307, 308):

            async def answer(visit: object, status: int = status) -> None:
                visit.write(  # type: ignore[attr-defined]
                    b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
                    % (status, canary.port)
                )

            async with Receiver(answer).listening() as receiver, a_client() as client:
                exchange = await send(client, receiver.url)
                assert exchange.status == status
                assert len(receiver.visits) == 1

    run(story())
    assert not canary.heard()


def test_our_own_services_are_refused_by_name_and_by_address(run: Run, canary: Canary) -> None:
    """Two public addresses play the database's; its name, and any other name for them, are refused."""
    own = OwnHosts.of(["postgresql://u:p@db.example:5432/ogel"], ["https://api.example"])

    async def story() -> None:
        guard = AddressGuard(own_names=own.servers | own.fronts)
        names = Names(("93.184.216.34",))
        client = EgressClient(guard, resolver=names)
        for name in ("db.example", "DB.Example.", "api.example"):
            assert (await failure(client, f"http://{name}:{canary.port}/")).reason == "refused_address"
        assert names.asked == []
        # Known to be harmless until the services have been looked at: what was remembered of it is forgotten.
        client._prepare("http://93.184.216.34:5432/", guard.generation)
        await OwnServices(guard, own, Names(("93.184.216.34", "::ffff:93.184.216.35"))).look()
        for host in (
            "93.184.216.34",
            "1572395042",
            "93.184.216.35",
            "[::ffff:93.184.216.34]",
            "alias.example",
        ):
            assert (await failure(client, f"http://{host}:5432/")).reason == "refused_address"
        assert names.asked == ["alias.example"]
        assert guard.check_url("http://sub.db.example/").host == "sub.db.example"
        await client.close()

    run(story())
    assert not canary.heard()


def test_in_development_our_own_services_share_the_opened_loopback(run: Run) -> None:
    own = OwnHosts.of(["redis://127.0.0.1:6379/0", "postgresql://localhost/x"], [])

    async def story() -> None:
        guard = AddressGuard(allow=[ip_network("127.0.0.0/8")], own_names=own.servers)
        client = EgressClient(guard)
        await OwnServices(guard, own).look()
        async with Receiver(say_ok).listening() as receiver:
            for host in ("127.0.0.1", "localhost"):
                assert (await send(client, f"http://{host}:{receiver.port}/")).status == 200
        await client.close()

    run(story())


def test_an_internal_name_needs_its_address_opened(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver:
            url = f"http://receiver.railway.internal:{receiver.port}/"
            async with a_client("127.0.0.0/8", resolver=Names(("127.0.0.1",))) as client:
                assert (await send(client, url)).status == 200
            async with a_client("10.0.0.0/8", resolver=Names(("127.0.0.1",))) as client:
                assert (await failure(client, url)).reason == "refused_address"
        assert receiver.connections == 1

    run(story())

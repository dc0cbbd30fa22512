"""What must never be connected to: a canary listens on loopback, and hears nothing."""

import asyncio
from pathlib import Path

import pytest

from ogel.adapters.egress import AddressGuard, EgressClient
from tests.support.egress_receiver import Names, Receiver, Run, a_client, failure, say_ok, send

CORPUS = Path(__file__).parents[2] / "unit" / "adapters" / "egress" / "forbidden_hosts.txt"
FORBIDDEN = CORPUS.read_text(encoding="utf-8").split()


def test_no_spelling_of_a_forbidden_address_reaches_the_canary(run: Run) -> None:
    async def story() -> None:
        client = EgressClient(AddressGuard())
        async with Receiver(say_ok).listening() as canary:
            for host in FORBIDDEN:
                error = await failure(client, f"http://{host}:{canary.port}/")
                assert (error.reason, error.peer, error.timings.connect) == ("refused_address", None, None)
            assert canary.connections == 0
        await client.close()

    assert len(FORBIDDEN) >= 40
    run(story())


@pytest.mark.parametrize(
    "answers",
    [
        ("127.0.0.1",),
        ("93.184.216.34", "127.0.0.1"),
        ("::ffff:127.0.0.1",),
        ("::1", "127.0.0.1"),
        ("0.0.0.0",),
    ],
)
def test_a_public_name_with_a_private_answer_is_refused(run: Run, answers: tuple[str, ...]) -> None:
    async def story() -> None:
        client = EgressClient(AddressGuard(), resolver=Names(answers))
        async with Receiver(say_ok).listening() as canary:
            error = await failure(client, f"http://hooks.example:{canary.port}/")
            assert canary.connections == 0
        await client.close()
        assert error.reason == "refused_address"
        assert not any(answer in error.message for answer in answers)
        assert all(answer in error.detail for answer in answers)

    run(story())


def test_a_rebinding_name_is_refused_at_the_moment_it_turns(run: Run) -> None:
    """127.0.0.2 plays the public address, 127.0.0.1 the private one behind the second answer."""

    async def story() -> None:
        names = Names(("127.0.0.2",), ("127.0.0.1",))
        async with Receiver(say_ok).listening("127.0.0.2") as public, a_client("127.0.0.2/32") as client:
            client._resolver = names
            url = f"http://hooks.example:{public.port}/"
            assert client._guard.check_url(url).address is None
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


@pytest.mark.parametrize("url", ["http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://a b/", "nonsense"])
def test_what_is_no_url_fails_for_good(run: Run, url: str) -> None:
    async def story() -> None:
        async with a_client() as client:
            assert (await failure(client, url)).reason == "refused_address"

    run(story())

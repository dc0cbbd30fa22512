"""Several addresses: each has its share of the time, and only what was vetted is reached."""

import asyncio
import socket
import time

import pytest

from ogel.adapters.egress import EgressError, Timings
from ogel.adapters.egress import dial as dialling
from ogel.adapters.egress.dial import MAX_ADDRESSES, dial


def test_a_silent_address_gets_its_share_and_the_next_one_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()

    async def connect(address: str, port: int) -> socket.socket:
        if address == "2606:4700::1":
            await asyncio.Event().wait()
        return ours

    async def story() -> None:
        timings = Timings()
        deadline = asyncio.get_running_loop().time() + 0.6
        connected, address = await dial(["2606:4700::1", "93.184.216.34"], 443, deadline, timings)
        assert (connected, address) == (ours, "93.184.216.34")
        assert timings.connect is not None
        assert 0.2 < timings.connect < 0.6

    monkeypatch.setattr(dialling, "connect", connect)
    with ours, theirs:
        asyncio.run(story())


def test_only_so_many_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def connect(address: str, port: int) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError(111, "10.0.0.1 refused")

    async def story() -> None:
        deadline = asyncio.get_running_loop().time() + 5
        with pytest.raises(EgressError) as failed:
            await dial([f"93.184.216.{n}" for n in range(100)], 443, deadline, Timings())
        assert (failed.value.reason, failed.value.message) == ("connect", "the connection was refused")
        assert "10.0.0.1" in failed.value.detail

    monkeypatch.setattr(dialling, "connect", connect)
    started = time.monotonic()
    asyncio.run(story())
    assert len(tried) == MAX_ADDRESSES
    assert time.monotonic() - started < 2


def test_a_connection_that_ended_up_elsewhere_is_refused() -> None:
    class Diverted(asyncio.SelectorEventLoop):
        async def sock_connect(self, sock: socket.socket, address: tuple[str, int]) -> None:  # type: ignore[override]
            await super().sock_connect(sock, ("127.0.0.1", address[1]))

    async def story(port: int) -> None:
        deadline = asyncio.get_running_loop().time() + 5
        with pytest.raises(EgressError) as failed:
            await dial(["93.184.216.34"], port, deadline, Timings())
        assert failed.value.reason == "refused_address"
        assert "127.0.0.1" not in failed.value.message

    with socket.create_server(("127.0.0.1", 0)) as server, asyncio.Runner(loop_factory=Diverted) as runner:
        runner.run(story(server.getsockname()[1]))

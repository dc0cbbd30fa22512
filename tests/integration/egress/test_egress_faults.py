"""Whose fault a failure was: what lies on our side must not cost a receiver an attempt."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ogel.adapters.egress import SystemResolver
from ogel.adapters.egress import dial as dialling
from tests.support.egress_receiver import OK, Names, Receiver, Run, Visit, a_client, failure, say_ok, send


@contextmanager
def no_more_files() -> Iterator[None]:
    """The next descriptor would be beyond the limit."""
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_files_left_is_ours_and_not_for_ever(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client() as client:
            with no_more_files():
                error = await failure(client, receiver.url)
            assert (error.reason, error.ours) == ("connect", True)
            assert error.message == "no connection could be opened on our side"
            assert (await send(client, receiver.url)).status == 200

    run(story())


def test_no_files_left_for_a_look_up_is_ours(run: Run) -> None:
    async def story() -> None:
        async with a_client(resolver=SystemResolver()) as client:
            with no_more_files():
                error = await failure(client, "http://hooks.example/")
            assert (error.reason, error.ours) == ("dns", True)

    run(story())


@pytest.mark.parametrize(
    ("number", "routes", "ours"),
    [
        (errno.EADDRNOTAVAIL, {socket.AF_INET, socket.AF_INET6}, True),
        (errno.EADDRNOTAVAIL, set(), False),  # the family is switched off here
        (errno.ENETUNREACH, set(), True),
        (errno.ENETUNREACH, {socket.AF_INET6}, False),  # we are online, but not for this family
        (errno.EHOSTUNREACH, {socket.AF_INET}, False),
        (errno.ECONNREFUSED, set(), False),
        (errno.ETIMEDOUT, set(), False),
        (errno.ENOBUFS, {socket.AF_INET}, True),
        (errno.EPERM, {socket.AF_INET}, True),
    ],
)
def test_a_connection_that_fails_is_ours_only_if_nobody_could_be_reached(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    routes: set[socket.AddressFamily],
    ours: bool,
) -> None:
    async def connect(address: str, port: int) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dialling, "connect", connect)
    monkeypatch.setattr(dialling, "_has_route", lambda family: family in routes)

    async def story() -> None:
        async with a_client() as client:
            error = await failure(client, "http://127.0.0.1/")
            assert (error.reason, error.ours) == ("connect", ours)

    run(story())


def test_a_port_shortage_does_not_keep_us_from_the_other_addresses(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EADDRNOTAVAIL is also what a machine without IPv6 says of every IPv6 address."""
    connect = dialling.connect

    async def without_ipv6(address: str, port: int) -> socket.socket:
        if ":" in address:
            raise OSError(errno.EADDRNOTAVAIL, "no")
        return await connect(address, port)

    monkeypatch.setattr(dialling, "connect", without_ipv6)

    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver:
            names = Names(("::1", "127.0.0.1"))
            async with a_client("127.0.0.0/8", "::1/128", resolver=names) as client:
                assert (await send(client, f"http://hooks.example:{receiver.port}/")).peer == "127.0.0.1"

    run(story())


@pytest.mark.parametrize("silent", [True, False])
def test_a_deadline_during_the_look_up_is_ours_if_no_name_server_answers(run: Run, silent: bool) -> None:
    class Hanging(Names):
        async def resolve(self, host: str) -> tuple[str, ...]:
            await asyncio.Event().wait()
            return ()

    async def story() -> None:
        async with a_client(resolver=Hanging(silent=silent)) as client:
            error = await failure(client, "http://hooks.example/", timeout_seconds=0.05)
        assert (error.reason, error.ours) == ("timeout", silent)

    run(story())


def test_waiting_for_a_free_connection_is_ours_and_a_slow_receiver_is_not(run: Run) -> None:
    async def story() -> None:
        held = asyncio.Event()

        async def answer(visit: Visit) -> None:
            held.set()
            await asyncio.Event().wait()

        async with Receiver(answer).listening() as receiver, a_client(max_connections=1) as client:
            first = asyncio.create_task(failure(client, receiver.url, timeout_seconds=0.3))
            await held.wait()
            waiting = await failure(client, receiver.url, timeout_seconds=0.05)
            assert (waiting.reason, waiting.ours) == ("timeout", True)
            slow = await first
            assert (slow.reason, slow.ours) == ("timeout", False)

    run(story())


def test_what_a_receiver_does_is_never_ours(run: Run) -> None:
    answers = [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nX: " + b"1" * 20_000, OK[:-1]]

    async def story() -> None:
        for text in answers:

            async def answer(visit: Visit, text: bytes = text) -> None:
                visit.write(text)
                visit.close()

            async with Receiver(answer).listening() as receiver, a_client() as client:
                assert not (await failure(client, receiver.url)).ours
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            async with a_client() as client:
                error = await failure(client, f"http://127.0.0.1:{taken.getsockname()[1]}/")
                assert (error.reason, error.ours) == ("connect", False)

    run(story())

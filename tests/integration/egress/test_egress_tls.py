"""TLS: the name is what is verified, always, though the address is what is dialled."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from ogel.adapters.egress import EgressError
from tests.support.egress_receiver import Names, Run, a_client, failure, send
from tests.support.egress_tls import NAME, serving, tls_receiver, trusting

DEADLINE_SECONDS = 0.3


@asynccontextmanager
async def raw_server(greeting: bytes) -> AsyncIterator[int]:
    """Says something that is not TLS, then nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        try:
            await reader.read(1 << 20)
            await reader.read(1 << 20)
        except OSError:
            pass  # The client has left.
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def test_a_trusted_name_is_reached_and_its_connection_reused(
    run: Run, certificate: tuple[Path, Path]
) -> None:
    async def story() -> None:
        asked: list[str] = []
        async with tls_receiver(certificate, asked) as port:
            names = Names(("127.0.0.1",))
            async with a_client(resolver=names, ssl_context=trusting(certificate)) as client:
                first = await send(client, f"https://{NAME}:{port}/")
                second = await send(client, f"https://{NAME}:{port}/")
        assert (first.status, first.body, first.peer) == (200, b"ok", "127.0.0.1")
        assert first.timings.tls is not None
        assert second.timings.tls is None
        assert asked == [NAME]

    run(story())


def test_the_server_is_asked_for_the_encoded_name(run: Run, certificate: tuple[Path, Path]) -> None:
    async def story() -> None:
        asked: list[str] = []
        async with tls_receiver(certificate, asked) as port:
            names = Names(("127.0.0.1",))
            async with a_client(resolver=names, ssl_context=trusting(certificate)) as client:
                await failure(client, f"https://straße.example:{port}/")
        assert (asked, names.asked) == (["xn--strae-oqa.example"],) * 2

    run(story())


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(
    run: Run, certificate: tuple[Path, Path], host: str
) -> None:
    async def story() -> EgressError:
        async with tls_receiver(certificate, []) as port:
            names = Names(("127.0.0.1",))
            async with a_client(resolver=names, ssl_context=trusting(certificate)) as client:
                error = await failure(client, f"https://{host}:{port}/")
                assert len(client._open) == 0
        assert error.reason == "tls"
        assert "certificate" in error.message
        assert error.timings.tls is not None

    run(story())


def test_a_stranger_s_certificate_is_refused(run: Run, certificate: tuple[Path, Path]) -> None:
    async def story() -> None:
        async with tls_receiver(certificate, []) as port, a_client(resolver=Names(("127.0.0.1",))) as client:
            error = await failure(client, f"https://{NAME}:{port}/")
        assert (error.reason, error.peer) == ("tls", "127.0.0.1")
        assert "certificate" in error.message

    run(story())


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 1000, b"SSH-2.0-x\r\n"])
def test_garbage_instead_of_tls_is_said_to_be_so(run: Run, greeting: bytes) -> None:
    async def story() -> None:
        async with raw_server(greeting) as port, a_client() as client:
            error = await failure(client, f"https://127.0.0.1:{port}/")
        assert (error.reason, error.message) == ("tls", "the TLS handshake failed")

    run(story())


def test_a_handshake_that_never_ends_is_cut_at_the_deadline(run: Run) -> None:
    async def story() -> None:
        async with raw_server(b"") as port, a_client() as client:
            error = await failure(client, f"https://127.0.0.1:{port}/", timeout_seconds=0.2)
            assert (client._slots.taken, len(client._open)) == (0, 0)
        assert error.reason == "timeout"
        assert error.timings.tls is not None

    run(story())


def test_closing_does_not_wait_for_a_handshake(run: Run) -> None:
    async def story() -> None:
        async with raw_server(b"") as port, a_client() as client:
            sending = asyncio.create_task(failure(client, f"https://127.0.0.1:{port}/", timeout_seconds=0.3))
            await asyncio.sleep(0)  # one turn of the loop: the request is under way
            async with asyncio.timeout(0.2):
                await client.close()
            assert (await sending).reason == "timeout"

    run(story())


@contextmanager
def broken_receiver(
    certificate: tuple[Path, Path], after_request: Callable[[socket.socket], None]
) -> Iterator[int]:
    """A proper handshake, the request is read, and then the bare socket beneath the TLS is the test's."""

    def serve() -> None:
        accepted, _ = listening.accept()
        accepted.settimeout(10)
        with serving(certificate).wrap_socket(accepted, server_side=True) as secured:
            received = b""
            while not received.endswith(b"{}"):
                received += secured.recv(65536)
            with socket.socket(fileno=os.dup(secured.fileno())) as bare:
                after_request(bare)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def garbage(bare: socket.socket) -> None:
    bare.sendall(os.urandom(4096))


def half_a_record(bare: socket.socket) -> None:
    """Application data of 16 KiB, it says, and then nothing more; ends when the client leaves."""
    bare.sendall(b"\x17\x03\x03\x40\x00" + bytes(100))
    bare.settimeout(DEADLINE_SECONDS + 1)
    while bare.recv(4096):
        pass


@pytest.mark.parametrize(
    ("after_request", "reason"),
    [(garbage, "tls"), (half_a_record, "timeout")],
    ids=["garbage", "half a record"],
)
def test_a_tls_connection_that_breaks_later_is_cut(
    run: Run,
    certificate: tuple[Path, Path],
    after_request: Callable[[socket.socket], None],
    reason: str,
) -> None:
    async def story(port: int) -> None:
        names = Names(("127.0.0.1",))
        async with a_client(resolver=names, ssl_context=trusting(certificate)) as client:
            started = time.monotonic()
            error = await failure(client, f"https://{NAME}:{port}/", timeout_seconds=DEADLINE_SECONDS)
            assert (error.reason, error.ours, error.peer) == (reason, False, "127.0.0.1")
            assert time.monotonic() - started < DEADLINE_SECONDS + 1
            assert (client._slots.taken, len(client._idle)) == (0, 0)

    with broken_receiver(certificate, after_request) as port:
        run(story(port))

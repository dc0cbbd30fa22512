"""TLS: the name is what is verified, always, though the address is what is dialled."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ogel.adapters.egress import EgressError
from tests.support.egress_receiver import OK, Names, Run, a_client, failure, send

NAME = "hooks.example"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for NAME and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("the TLS tests need the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", f"/CN={NAME}"]
    command += ["-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate, key


@asynccontextmanager
async def tls_receiver(certificate: tuple[Path, Path], names_asked: list[str]) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _socket, name, _context: names_asked.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"{}"):
                writer.write(OK)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


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


def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


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

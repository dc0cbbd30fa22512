"""What a probe finds out of real servers, in their own protocols, and of those that do not behave."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ogel.adapters.databases.addresses import check_host
from ogel.adapters.network import NetworkProber, mongodb, postgresql
from ogel.adapters.network.conversation import Unanswered
from ogel.runtime.network.probing import PINGS, Probed
from ogel.runtime.network.server import NamedServer, Protocol
from tests.conftest import Servers
from tests.support.certificates import make_certificate
from tests.support.mail import MailServer
from tests.support.mongo import agreeable_mongo
from tests.support.pooler import Pooler
from tests.support.process import eventually, free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def probe(protocol: Protocol, url: str, field: str = "some_url") -> Probed:
    return await NetworkProber(check_host).probe(NamedServer("it", protocol, url, field, "SOME_URL"))


def probed(protocol: Protocol, url: str, field: str = "some_url") -> Probed:
    return asyncio.run(probe(protocol, url, field))


def probed_at(protocol: Protocol, url: str, serve: Serve) -> Probed:
    """`url` has PORT where the server's is."""

    async def run() -> Probed:
        async with serving(serve) as port:
            return await probe(protocol, url.replace("PORT", str(port)))

    return asyncio.run(run())


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    serving: list[asyncio.Task[None]] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())  # type: ignore[arg-type]
        with suppress(OSError):
            await serve(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*serving)


def is_measured(found: Probed) -> bool:
    assert found.handshake_ms and found.p50_ms and found.p99_ms
    return found.error is None and found.pings == PINGS and 0 < found.p50_ms <= found.p99_ms


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def test_postgres(database_url: str) -> None:
    found = probed("postgresql", database_url)
    assert is_measured(found)
    assert (found.place, found.tls, found.pooler) == ("private", False, None)
    assert found.version and found.version[:2].isdigit()


def test_redis(redis_url: str) -> None:
    found = probed("redis", redis_url)
    assert is_measured(found) and found.version and not found.tls


def test_what_a_server_refuses_is_told_in_its_words(database_url: str, redis_url: str) -> None:
    """The seed's URL of Redis has no password; a certificate is asked of a server that has none."""
    found = probed("redis", f"redis://127.0.0.1:{port_of(redis_url)}")
    assert found.error == "it wants a password, and the URL has none"
    found = probed("postgresql", f"{database_url}?sslmode=require")
    assert found.error is not None and "server does not support SSL" in found.error


def test_mongo() -> None:
    async def run() -> Probed:
        async with agreeable_mongo() as port:
            return await probe("mongodb", f"mongodb://127.0.0.1:{port}/?appname=x")

    found = asyncio.run(run())
    assert is_measured(found) and found.version == "7.0.99"


def test_http_is_asked_on_one_connection() -> None:
    heads: list[bytes] = []
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while head := await reader.read(4096):
            heads.append(head)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n")

    found = probed_at("http", "http://127.0.0.1:PORT/base", serve)
    assert is_measured(found)
    assert len(connections) == 1 and len(heads) == PINGS
    assert heads[0].startswith(b"HEAD /base HTTP/1.1\r\nHost: 127.0.0.1:")


def test_one_answer_is_enough() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"HTTP/1.0 501 No\r\n\r\n")
        writer.close()

    found = probed_at("http", "http://127.0.0.1:PORT", serve)
    assert (found.error, found.pings) == (None, 1)


@pytest.mark.parametrize(
    ("says", "protocol", "scheme", "error"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n\r\n", "http", "http", "it does not speak HTTP"),
        (b"", "http", "http", "it closed the connection"),
        (b"x" * 200_000, "http", "http", "its answer is too long"),
        (b"nonsense", "http", "https", "TLS failed"),
        (b"554 go away\r\n", "smtp", "smtp+plain", "it answered 554 go away"),
        (b"220 hello\r\n250 ok\r\n", "smtp", "smtp", "it offers no STARTTLS"),
        (b"E\0\0\0\x0a\0\0", "postgresql", "postgresql", "connection failed"),
        (b"-ERR sorry\r\n", "redis", "redis", "sorry"),
    ],
)
def test_what_answers_otherwise_is_told(says: bytes, protocol: Protocol, scheme: str, error: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await reader.read(4096)
        writer.close()

    found = probed_at(protocol, f"{scheme}://user:Passw0rdX@127.0.0.1:PORT", serve)
    assert found.error is not None and error in found.error and "Passw0rdX" not in found.error
    assert "\n" not in found.error and found.v4 == ("127.0.0.1",)


def test_smtp_by_starttls_is_held_to_its_certificate(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "mail.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with MailServer(starttls=context) as server:
        found = probed("smtp", f"smtp://127.0.0.1:{server.port}")
    assert found.error is not None and found.error.startswith("its certificate is not good")
    with MailServer() as server:
        assert is_measured(probed("smtp", f"smtp+plain://127.0.0.1:{server.port}"))


def test_nobody_listens_and_nobody_is_called_so() -> None:
    port = free_port()
    for protocol, scheme in (
        ("redis", "redis"),
        ("http", "http"),
        ("tcp", "tcp"),
        ("postgresql", "postgresql"),
    ):
        found = probed(protocol, f"{scheme}://127.0.0.1:{port}")  # type: ignore[arg-type]
        assert found.error is not None and "refused" in found.error
    # A label of more than 63 letters: no name server is asked.
    found = probed("redis", f"redis://{'x' * 64}.invalid:6379")
    assert found.error == "its name cannot be looked up: no host name"
    assert (found.place, found.v4, found.v6) == ("elsewhere", (), ())


def test_a_registered_database_does_not_lead_to_metadata() -> None:
    """Whoever registers one chooses its name; what the settings name is the operator's."""
    found = probed("postgresql", "postgresql://169.254.169.254/x", field="")
    assert found.error == "this host is not allowed: it leads to a link-local or metadata address"


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ("tls=true", "db.example"),
        ("tls=true&tlsAllowInvalidCertificates=true", "192.0.2.7"),
        ("ssl=true&tlsAllowInvalidHostnames=true", "192.0.2.7"),
        ("tls=false", "192.0.2.7"),
    ],
)
def test_a_registered_mongo_leads_to_what_was_looked_at_unless_its_certificate_proves_it(
    options: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked up a second time, the name could lead to metadata."""
    asked = []

    def client(**arguments: str) -> None:
        asked.append(arguments["host"])
        raise ValueError("that is all")

    monkeypatch.setattr(mongodb, "TidyClient", client)
    server = NamedServer("it", "mongodb", f"mongodb://db.example:27017/?{options}")
    with pytest.raises(Unanswered):
        asyncio.run(mongodb.begin(server, ["192.0.2.7"]))
    assert [urlsplit(each).hostname for each in asked] == [host]


def test_the_pooler_of_a_registered_database_is_asked_where_that_was_looked_at(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def refuses(host: str, port: int) -> bool:
        asked.append(host)
        return True

    monkeypatch.setattr(postgresql, "_refuses_parameters", refuses)
    port = port_of(database_url)
    with Pooler(port, is_pgbouncer=True) as pgbouncer:
        url = database_url.replace(f"127.0.0.1:{port}/", f"localhost:{pgbouncer.port}/")
        assert probed("postgresql", url, field="").pooler == "PgBouncer"
        assert probed("postgresql", url).pooler == "PgBouncer"
    assert asked == ["127.0.0.1", "localhost"]


def test_pgbouncer_is_known_by_what_it_refuses(database_url: str) -> None:
    port = port_of(database_url)
    with Pooler(port, is_pgbouncer=True) as pgbouncer, Pooler(port) as proxy:
        through = database_url.replace(f":{port}/", f":{pgbouncer.port}/")
        assert probed("postgresql", through).pooler == "PgBouncer"
        found = probed("postgresql", database_url.replace(f":{port}/", f":{proxy.port}/"))
    assert is_measured(found) and found.pooler is None


@pytest.mark.skipif(
    shutil.which("pgbouncer") is None, reason="SKIPPED: no pgbouncer (Debian: apt install pgbouncer)"
)
@pytest.mark.parametrize(("mode", "tls"), [("session", "disable"), ("transaction", "require")])
def test_the_real_pgbouncer(servers: Servers, database_url: str, tmp_path: Path, mode: str, tls: str) -> None:
    url, port = urlsplit(database_url), free_port()
    certificate, key = make_certificate(tmp_path, "db.test")
    user = f'"{url.username}" "{url.password or ""}"\n'
    (tmp_path / "users").write_text(user)
    (tmp_path / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={url.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"auth_type = plain\nauth_file = {tmp_path}/users\npool_mode = {mode}\nunix_socket_dir =\n"
        f"ignore_startup_parameters = extra_float_digits\n"
        f"client_tls_sslmode = {tls}\nclient_tls_cert_file = {certificate}\nclient_tls_key_file = {key}\n"
    )
    for path in (tmp_path, *tmp_path.iterdir(), *tmp_path.parents[:2]):
        path.chmod(0o755)
    command = ["pgbouncer", "-q", "-u", "nobody", str(tmp_path / "ini")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        try:
            through = database_url.replace(f":{url.port}/", f":{port}/")
            found = eventually(lambda: _answered(through), 5, "pgbouncer")
        finally:
            running.kill()
    assert is_measured(found) and (found.pooler, found.tls) == ("PgBouncer", tls == "require")


def _answered(url: str) -> Probed | None:
    found = probed("postgresql", url)
    return found if found.error is None else None

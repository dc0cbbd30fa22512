"""A process that may open few files, and strangers who take all they can."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.process import Ogel, eventually

FILES = 256
STRANGERS = 600
# What the server may say of it; each is said once in a while, not for every connection.
SAID = ("http.crowded", "http.cannot_accept")


def limited(process: Ogel) -> Ogel:
    """Both limits: a process raises its soft one to the hard one."""
    process.command = ["sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh", *process.command]
    return process


@contextmanager
def strangers(port: int) -> Iterator[list[socket.socket]]:
    """Who begin a request and say no more; some are turned away at once."""
    held: list[socket.socket] = []
    try:
        for _ in range(STRANGERS):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            held.append(client)
            with suppress(ConnectionError):
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
        yield held
    finally:
        for client in held:
            client.close()


def test_health_is_answered_at_the_limit(tmp_path: Path, database_url: str, redis_url: str) -> None:
    process = Ogel(
        "api", fresh=True, log=tmp_path / "api.log", DATABASE_URL=database_url, REDIS_URL=redis_url
    )
    with limited(process) as ogel:
        kept = socket.create_connection(("127.0.0.1", ogel.port), timeout=10)
        body = b'{"type":"a.b","data":1}'
        kept.sendall(
            b"POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
            % (ogel.environment["OGEL_ADMIN_KEY"].encode(), len(body), body[:5])
        )
        with strangers(ogel.port):
            for path in ("/health/live", "/health/ready") * 5:
                assert ogel.api("GET", path).status == 200, path
        # Who was in the middle of a request has not been turned out for strangers.
        kept.sendall(body[5:])
        assert kept.recv(12) == b"HTTP/1.1 202"
        kept.close()
        assert eventually(
            lambda: ogel.api("GET", "/api/queues").status == 200, 10, "others to be served again"
        )
        said = [line for line in ogel.log_text().splitlines() if any(each in line for each in SAID)]
        assert 1 <= len(said) <= 3, said

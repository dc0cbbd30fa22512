"""Twenty clients at once move large objects: a process grows by what is under way, not by what is moved."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.memory import forget_peak, peak_resident_bytes, resident_bytes
from tests.support.process import ADMIN_KEY, Ogel

CLIENTS = 20
MEGABYTES = 500
GROWTH_BYTES = 60_000_000
_MEGABYTE = os.urandom(1_000_000)
_OBJECTS = "/storage/v1/object"


class Clients:
    def __init__(self, port: int) -> None:
        self._port = port

    def upload(self, name: str, megabytes: int) -> None:
        with self._client() as client:
            self._upload(client, name, megabytes)

    def _upload(self, client: http.client.HTTPConnection, name: str, megabytes: int) -> None:
        client.putrequest("POST", f"{_OBJECTS}/large/{name}")
        headers = {
            "authorization": f"Bearer {ADMIN_KEY}",
            "content-type": "application/octet-stream",
            "content-length": str(megabytes * len(_MEGABYTE)),
            "x-upsert": "true",
        }
        for header, value in headers.items():
            client.putheader(header, value)
        client.endheaders()
        for _ in range(megabytes):
            client.send(_MEGABYTE)
        answer = client.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()

    def download(self, name: str, megabytes: int) -> None:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        with self._client() as client:
            client.request("GET", f"{_OBJECTS}/authenticated/large/{name}", headers=headers)
            answer = client.getresponse()
            size = sum(map(len, iter(lambda: answer.read(1_000_000), b"")))
            assert (answer.status, size) == (200, megabytes * len(_MEGABYTE))

    def _client(self) -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=1800))


@pytest.fixture(params=["local", "s3"])
def ogel(request: pytest.FixtureRequest, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Ogel]:
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_DATA_DIR": str(tmp_path),
        "OGEL_STORAGE_FILE_SIZE_LIMIT": str(1_000_000_000),
    }
    if request.param == "s3":
        environment |= request.getfixturevalue("seaweed").environment
    with Ogel("api", log=tmp_path / "log", **environment) as ogel:
        yield ogel


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twenty_clients_with_large_objects_fit_into_little_memory(ogel: Ogel) -> None:
    clients = Clients(ogel.port)
    assert ogel.api("POST", "/storage/v1/bucket", {"name": "large"}).status == 200
    for does in (clients.upload, clients.download):  # what is imported and built once is no growth
        does("first", 1)
    assert ogel.process is not None
    pid = ogel.process.pid
    before = resident_bytes(pid)
    for does in (clients.upload, clients.download):
        forget_peak(pid)
        with ThreadPoolExecutor(CLIENTS) as threads:
            for _ in threads.map(lambda n, does=does: does(f"object-{n}", MEGABYTES), range(CLIENTS)):  # type: ignore[misc]
                pass
        growth = peak_resident_bytes(pid) - before
        print(f"{does.__name__}: {growth / 1e6:.0f} MB more than {before / 1e6:.0f} MB")
        assert growth < GROWTH_BYTES, does.__name__

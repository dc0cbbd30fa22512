"""tus-js-client and tuspy, unmodified, against `ogel up`: it is killed in the middle, and they go on."""

from __future__ import annotations

import hashlib
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tusclient.client import TusClient

from tests.conftest import Servers, migrated
from tests.support import npm
from tests.support.process import ADMIN_KEY, Ogel, eventually
from tests.support.tus import javascript

MEGABYTE = 1024 * 1024
BUCKET = "files"
AUTHORIZED = {"authorization": f"Bearer {ADMIN_KEY}"}
needs_npm = npm.needs_npm("tus-js-client")


@pytest.fixture(scope="module")
def database(servers: Servers, _template: str) -> Iterator[str]:
    with migrated(servers, _template) as url:
        yield url


@pytest.fixture(scope="module")
def up(servers: Servers, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ogel]:
    directory = tmp_path_factory.mktemp("up")
    settings = {
        "DATABASE_URL": database,
        "REDIS_URL": servers.redis_url,
        "OGEL_DATA_DIR": str(directory / "data"),
        "OGEL_STORAGE_FILE_SIZE_LIMIT": str(300 * MEGABYTE),
        "OGEL_RATE_WRITE": "off",
        "OGEL_RATE_READ": "off",
    }
    with Ogel("up", log=directory / "ogel.log", **settings) as ogel:
        ogel.api.ok("POST", "/storage/v1/bucket", {"name": BUCKET})
        yield ogel


@pytest.fixture(scope="module")
def tus_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return javascript.install(tmp_path_factory.mktemp("npm"))


def written(path: Path, size: int) -> str:
    """A file of that size, no two megabytes of it alike. Returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(-(-size // MEGABYTE)):
            piece = (number.to_bytes(4, "big") * (MEGABYTE // 4))[: size - number * MEGABYTE]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def stored(up: Ogel, name: str) -> str:
    got = up.api("GET", f"/storage/v1/object/authenticated/{BUCKET}/{name}")
    assert got.status == 200, got.raw
    return hashlib.sha256(got.raw).hexdigest()


def options(up: Ogel, name: str, file: Path, **more: Any) -> dict[str, Any]:
    return {
        "file": str(file),
        "endpoint": f"http://127.0.0.1:{up.port}/storage/v1/upload/resumable",
        "headers": AUTHORIZED,
        "metadata": {"bucketName": BUCKET, "objectName": name, "contentType": "application/zip"},
        "retryDelays": [0, 200, 500, *[1000] * 15],
        **more,
    }


@needs_npm
def test_tus_js_client_uploads_in_each_of_its_ways(up: Ogel, tus_js: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    digest = written(file, 3 * MEGABYTE + 1)
    ways: dict[str, dict[str, Any]] = {
        "whole": {},
        "chunks": {"chunkSize": MEGABYTE},
        "at-once": {"uploadDataDuringCreation": True},
        "parallel": {"parallelUploads": 3},
        "deferred": {"uploadLengthDeferred": True, "stream": True, "chunkSize": MEGABYTE},
        "override": {"overridePatchMethod": True, "chunkSize": 2 * MEGABYTE},
    }
    aborted = options(up, "aborted", file, chunkSize=MEGABYTE, stopAfter=MEGABYTE)
    given_up = options(up, "given-up", file, chunkSize=MEGABYTE, stopAfter=MEGABYTE, terminate=True)
    again = options(up, "whole", file, retryDelays=None)
    uploads = [options(up, name, file, **way) for name, way in ways.items()]
    results = javascript.ended(javascript.begin(tus_js, [*uploads, aborted, given_up, again]))
    for name, result in zip(ways, results, strict=False):
        assert result.get("ok"), (name, result)
        assert stored(up, name) == digest, name
    stopped, gone, refused = results[-3:]
    assert (refused["status"], refused["body"]) == (409, "The resource already exists")
    resumed = options(up, "aborted", file, uploadUrl=stopped["url"])
    ended = options(up, "given-up", file, endpoint=None, uploadUrl=gone["url"], retryDelays=None)
    resumed_result, ended_result = javascript.ended(javascript.begin(tus_js, [resumed, ended]))
    assert resumed_result["offsets"][0] == ["HEAD", MEGABYTE]
    assert resumed_result["offsets"][-1] == ["PATCH", 3 * MEGABYTE + 1]
    assert stored(up, "aborted") == digest
    assert ended_result["status"] == 404


def test_tuspy_uploads_with_checksums(up: Ogel, tmp_path: Path) -> None:
    file = tmp_path / "file"
    digest = written(file, 2 * MEGABYTE + 7)
    client = TusClient(f"http://127.0.0.1:{up.port}/storage/v1/upload/resumable", headers=AUTHORIZED)
    for name, settings in {"tuspy": {}, "tuspy/größe": {"chunk_size": MEGABYTE}}.items():
        said = {"bucketName": BUCKET, "objectName": name}
        with file.open("rb") as stream:
            uploader = client.uploader(file_stream=stream, metadata=said, upload_checksum=True, **settings)
            uploader.upload()
    assert stored(up, "tuspy") == stored(up, "tuspy/gr%C3%B6%C3%9Fe") == digest


def test_what_came_before_a_connection_broke_is_kept(up: Ogel) -> None:
    endpoint, tus = "/storage/v1/upload/resumable", {"tus-resumable": "1.0.0"}
    said = f"bucketName {b64encode(BUCKET.encode()).decode()},objectName {b64encode(b'broken').decode()}"
    new = {**tus, "upload-length": str(MEGABYTE), "upload-metadata": said}
    path = urlsplit(up.api("POST", endpoint, raw=b"", headers=new).headers["location"]).path

    def asked(at: int) -> bytes:
        return (
            f"PATCH {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN_KEY}\r\n"
            f"tus-resumable: 1.0.0\r\ncontent-type: application/offset+octet-stream\r\nupload-offset: {at}\r\n"
            f"content-length: {MEGABYTE - at}\r\n\r\n"
        ).encode()

    with socket.create_connection(("127.0.0.1", up.port)) as connection:
        connection.sendall(asked(0) + b"x" * 300_001)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(1000):
            pass
    assert up.api("HEAD", path, headers=tus).headers["upload-offset"] == "300001"
    # One that is only silent does not keep the next from going on.
    with socket.create_connection(("127.0.0.1", up.port)) as hanging:
        hanging.sendall(asked(300_001) + b"y" * 100_000)

        def has_come() -> bool:
            return up.api("HEAD", path, headers=tus).headers["upload-offset"] != "300001"

        eventually(has_come, 10, "bytes of who is silent")


@needs_npm
def test_both_go_on_after_a_kill_9(up: Ogel, database: str, tus_js: Path, tmp_path: Path) -> None:
    killed_in_the_middle(up, database, tus_js, tmp_path, 20 * MEGABYTE, chunk=MEGABYTE)


@needs_npm
@pytest.mark.long
def test_200_megabytes_go_on_after_a_kill_9(up: Ogel, database: str, tus_js: Path, tmp_path: Path) -> None:
    killed_in_the_middle(up, database, tus_js, tmp_path, 200 * MEGABYTE, chunk=None)


def killed_in_the_middle(
    up: Ogel, database: str, tus_js: Path, tmp_path: Path, size: int, chunk: int | None
) -> None:
    """With a `chunk`, in requests of that size; else all in one, and nothing but whole segments has been kept."""
    file, name = tmp_path / "file", f"killed-{size}"
    digest = written(file, size)
    said = {} if chunk is None else {"chunkSize": chunk}
    node = javascript.begin(tus_js, [options(up, name, file, **said)])
    with psycopg.connect(database, autocommit=True) as connection:

        def received() -> int:
            row = connection.execute(
                "SELECT received FROM ogel.storage_uploads WHERE name = %s", [name]
            ).fetchone()
            return int(row[0]) if row else 0

        eventually(lambda: received() > size // 4, 60, "a quarter of it")
        up.kill()
        kept = received()
        assert kept < size
        began = time.monotonic()
        up.start()
        [result] = javascript.ended(node)
        print(f"{kept} bytes kept of {size}; ended {time.monotonic() - began:.1f} s after the kill")
        assert result.get("ok"), result
        assert ["HEAD", kept] in result["offsets"]
        assert stored(up, name) == digest
        # What was being written when it died is found by the reaper, and nothing else is left in the store.
        directory = Path(up.environment["OGEL_DATA_DIR"])

        def is_clean() -> bool:
            connection.execute(
                "UPDATE ogel.storage_blobs SET until = now() - interval '1 second' WHERE state <> 'live'"
            )
            up.api.ok("POST", "/api/storage/gc")
            rows = connection.execute("SELECT key, state FROM ogel.storage_blobs").fetchall()
            keys = {key.rpartition("/")[2] for key, _ in rows}
            stored = {path.name for path in directory.rglob("blobs/*/*") if path.is_file()}
            return keys == stored and {state for _, state in rows} == {"live"}

        eventually(is_clean, 30, "a store that holds what the rows say")

"""Uploads that go to the store itself, on a store that has URLs for them and on one that has not."""

from __future__ import annotations

import hashlib
import http.client
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.process import Response
from tests.support.seaweed import Seaweed
from tests.support.world import World

PATH = "/api/storage/direct-uploads"
BUCKET = "direct"


@pytest.fixture(scope="module")
def on_s3(
    suite_servers: dict[str, str], seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    data = str(tmp_path_factory.mktemp("s3"))
    with World(**suite_servers, **seaweed.environment, OGEL_DATA_DIR=data) as world:
        world.ok("POST", "/storage/v1/bucket", {"name": BUCKET})
        yield world


def put(begun: Mapping[str, Any], raw: bytes, **headers: str) -> int:
    """As a browser does, to the store."""
    url = urlsplit(begun["url"])
    connection = http.client.HTTPConnection(url.netloc, timeout=20)
    try:
        connection.request("PUT", f"{url.path}?{url.query}", raw, {**begun["headers"], **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def begun(world: World, name: str, size: int, **more: Any) -> Any:
    answer = world("POST", PATH, {"bucket": BUCKET, "name": name, "size": size, **more})
    assert answer.status == 201, answer.raw
    return answer.json


def confirm(world: World, upload: Mapping[str, Any]) -> Response:
    return world("POST", f"{PATH}/{upload['id']}/confirm")


def content(world: World, name: str) -> Response:
    return world("GET", f"/storage/v1/object/authenticated/{BUCKET}/{name}")


def count(world: World, sql: str) -> Any:
    async def ask() -> Any:
        async with world.platform.core.database.autocommit() as tx:
            return await tx.value(sql.encode())

    return world.run(ask())


def test_what_was_put_into_the_store_is_an_object_once_it_is_confirmed(on_s3: World) -> None:
    raw = b"a picture" * 1000
    upload = begun(on_s3, "größe.bin", len(raw), content_type="image/png", metadata={"k": "v"})
    assert upload["method"] == "PUT"
    assert "Not all" in confirm(on_s3, upload).json["detail"]
    assert content(on_s3, "gr%C3%B6%C3%9Fe.bin").status == 404
    assert put(upload, raw) == 200
    stored = confirm(on_s3, upload)
    etag = f'"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}"'
    assert stored.status == 200, stored.raw
    assert (stored.json["size"], stored.json["etag"]) == (len(raw), etag)
    got = content(on_s3, "gr%C3%B6%C3%9Fe.bin")
    assert (got.raw, got.headers["etag"], got.headers["content-type"]) == (raw, etag, "image/png")
    assert confirm(on_s3, upload).json == stored.json
    # The URL is good for a while, and changes nothing that has been looked at.
    assert put(upload, b"x" * len(raw)) == 200
    assert content(on_s3, "gr%C3%B6%C3%9Fe.bin").raw == raw
    late = "SELECT count(*) FROM storage_blobs WHERE state = 'pending' AND until > now() + interval '1 hour'"
    assert count(on_s3, late) >= 1


def test_uploads_by_tus_go_there_in_segments(on_s3: World) -> None:
    said = f"bucketName {b64encode(BUCKET.encode()).decode()},objectName {b64encode(b'tus').decode()}"
    tus = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}
    raw = bytes(range(256)) * 4096 * 7  # 7 MiB
    new = {**tus, "upload-metadata": said, "upload-length": str(len(raw))}
    answer = on_s3("POST", "/storage/v1/upload/resumable", raw=raw[:1000], headers=new)
    path, at = answer.headers["location"], int(answer.headers["upload-offset"])
    for end in (5000, 6 * 1024 * 1024, len(raw)):
        answer = on_s3("PATCH", path, raw=raw[at:end], headers={**tus, "upload-offset": str(at)})
        assert answer.status == 204, answer.raw
        at = end
    got = content(on_s3, "tus")
    assert (got.raw == raw, got.headers["etag"][-3:]) == (True, '-2"')


def test_other_bytes_than_those_announced_are_not_taken(on_s3: World) -> None:
    upload = begun(on_s3, "other", 10)
    assert put(upload, b"12345678901", **{"content-length": "11"}) >= 400
    assert put(upload, b"1234567890", **{"content-type": "text/html"}) >= 400
    assert confirm(on_s3, upload).status == 409
    first, second = begun(on_s3, "one", 3), begun(on_s3, "one", 3)
    assert put(first, b"one") == put(second, b"two") == 200
    assert confirm(on_s3, first).status == 200
    assert confirm(on_s3, second).status == 409
    assert content(on_s3, "one").raw == b"one"
    assert on_s3("POST", PATH, {"bucket": BUCKET, "name": "one", "size": 3}).status == 409
    over = begun(on_s3, "one", 3, upsert=True)
    assert put(over, b"new") == 200
    assert confirm(on_s3, over).status == 200
    assert content(on_s3, "one").raw == b"new"


def test_what_cannot_be_is_refused_before_a_url_is_made(on_s3: World, api: World) -> None:
    new = {"bucket": BUCKET, "name": "x", "size": 3}
    cases: list[tuple[int, Mapping[str, Any]]] = [
        (404, {**new, "bucket": "nowhere"}),
        (413, {**new, "size": 50 * 1024 * 1024 + 1}),
        (422, {**new, "size": -1}),
        (422, {**new, "size": "3"}),
        (422, {**new, "name": ""}),
        (400, {**new, "name": "a/../b"}),
        (400, {**new, "name": "a\0b"}),
        (422, {**new, "content_type": "a\r\nb: c"}),
        (422, {**new, "content_type": "text/plain\n"}),
        (422, {**new, "cache_control": "é"}),
        (422, {**new, "other": 1}),
    ]
    before = count(on_s3, "SELECT count(*) FROM storage_uploads")
    for status, body in cases:
        answer = on_s3("POST", PATH, dict(body))
        assert answer.status == status, (body, answer.raw)
    assert count(on_s3, "SELECT count(*) FROM storage_uploads") == before
    for id in (str(uuid4()), "abc"):
        assert on_s3("POST", f"{PATH}/{id}/confirm").status == 404
    assert on_s3("POST", PATH, new, key="nobody").status == 401

    refused = api("POST", PATH, new)  # a directory has no URLs
    assert (refused.status, "/upload/resumable" in refused.json["detail"]) == (409, True), refused.raw

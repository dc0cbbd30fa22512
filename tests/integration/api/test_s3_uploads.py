"""Uploads in parts: what becomes of them, whoever ends them and however many at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from typing import Any

import psycopg
import pytest

from ogel.kernel.principal import SYSTEM, Caller, Principal
from tests.support.people import People
from tests.support.process import Response
from tests.support.s3 import S3, code, texts
from tests.support.world import World

ENVIRONMENT = {"OGEL_RATE_WRITE": "off", "OGEL_RATE_READ": "off"}
MEGABYTE = 1024 * 1024
FIRST = b"1" * (5 * MEGABYTE)


@pytest.fixture(scope="module")
def s3(api: World) -> S3:
    made = api("POST", "/api/s3-keys", {"name": "tests"})
    return S3(api, made.json["access_key_id"], made.json["secret_access_key"])


@pytest.fixture(scope="module")
def database(suite_servers: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def a_bucket(api: World, name: str, **rules: Any) -> str:
    made = api("POST", "/api/storage/buckets", {"id": name, **rules})
    assert made.status == 201, made.raw
    return name


def begun(s3: S3, path: str) -> str:
    """Returns the parameter that names the upload."""
    answer = s3("POST", f"{path}?uploads", headers={"content-type": "text/plain"})
    assert answer.status == 200, answer.raw
    return f"uploadId={texts(answer, 'UploadId')[0]}"


def complete(s3: S3, path: str, upload: str, *parts: tuple[int, str]) -> Response:
    named = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
    body = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>"
    return s3("POST", f"{path}?{upload}", body.encode())


def states(database: psycopg.Connection[Any], bucket: str) -> dict[str, int]:
    """Bytes by the state of their blobs."""
    rows = database.execute(
        "SELECT state, sum(size)::int FROM ogel.storage_blobs WHERE bucket_id = %s GROUP BY state", [bucket]
    )
    return dict(rows.fetchall())


def quota(database: psycopg.Connection[Any], bucket: str) -> tuple[int, int]:
    """Bytes that are used, and reserved."""
    row = database.execute(
        "SELECT used_bytes, reserved_bytes FROM ogel.storage_quotas WHERE subject = %s", [f"bucket:{bucket}"]
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_parts_are_reserved_until_they_are_an_object_or_dropped(
    api: World, s3: S3, database: psycopg.Connection[Any]
) -> None:
    bucket = a_bucket(api, "counted", quota_bytes=6 * MEGABYTE)
    upload = begun(s3, "/counted/a")
    one = s3("PUT", f"/counted/a?{upload}&partNumber=1", FIRST).headers["etag"]
    assert quota(database, bucket) == (0, len(FIRST))
    refused = s3("PUT", f"/counted/a?{upload}&partNumber=2", b"x" * (2 * MEGABYTE))
    assert (refused.status, code(refused)) == (413, "QuotaExceeded")
    two = s3("PUT", f"/counted/a?{upload}&partNumber=2", b"two").headers["etag"]
    two = s3("PUT", f"/counted/a?{upload}&partNumber=2", b"other").headers["etag"]
    s3("PUT", f"/counted/a?{upload}&partNumber=3", b"not wanted")
    assert quota(database, bucket) == (0, len(FIRST) + 5 + 10)
    assert s3("GET", "/counted/a").status == 404
    assert complete(s3, "/counted/a", upload, (1, one), (2, two)).status == 200
    assert quota(database, bucket) == (len(FIRST) + 5, 0)
    assert s3("GET", "/counted/a").raw == FIRST + b"other"
    again = begun(s3, "/counted/b")
    s3("PUT", f"/counted/b?{again}&partNumber=1", b"dropped")
    assert s3("DELETE", f"/counted/b?{again}").status == 204
    assert quota(database, bucket) == (len(FIRST) + 5, 0)
    # An upload that is under way goes with its bucket.
    more = begun(s3, "/counted/c")
    s3("PUT", f"/counted/c?{more}&partNumber=1", b"dropped")
    assert s3("DELETE", "/counted/a").status == 204
    assert s3("DELETE", "/counted").status == 204
    assert set(states(database, bucket)) == {"deleting"}
    assert code(s3("GET", f"/counted/c?{more}")) == "NoSuchUpload"


def test_an_object_is_no_larger_in_parts_than_whole(api: World, s3: S3) -> None:
    a_bucket(api, "small", file_size_limit=6 * MEGABYTE, allowed_mime_types=["text/plain"])
    upload = begun(s3, "/small/a")
    one = s3("PUT", f"/small/a?{upload}&partNumber=1", FIRST).headers["etag"]
    for number, size, expected in ((2, 2 * MEGABYTE, 413), (1, 7 * MEGABYTE, 413), (2, MEGABYTE, 200)):
        assert s3("PUT", f"/small/a?{upload}&partNumber={number}", b"x" * size).status == expected
    two = f'"{md5(b"x" * MEGABYTE, usedforsecurity=False).hexdigest()}"'
    assert complete(s3, "/small/a", upload, (1, one), (2, two)).status == 200
    refused = s3("POST", "/small/b?uploads", headers={"content-type": "image/png"})
    assert (refused.status, code(refused)) == (415, "InvalidMimeType")


def test_whoever_comes_at_once_leaves_one_part_and_one_end(
    api: World, s3: S3, database: psycopg.Connection[Any]
) -> None:
    a_bucket(api, "crowd")
    upload = begun(s3, "/crowd/a")
    with ThreadPoolExecutor(8) as pool:
        put = list(
            pool.map(lambda n: s3("PUT", f"/crowd/a?{upload}&partNumber=1", b"%d" % n).status, range(8))
        )
        assert put == [200] * 8
        etags = texts(s3("GET", f"/crowd/a?{upload}"), "ETag")
        assert len(etags) == 1
        ends = [
            lambda: complete(s3, "/crowd/a", upload, (1, etags[0])).status,
            lambda: s3("DELETE", f"/crowd/a?{upload}").status,
        ]
        statuses = sorted(pool.map(lambda end: end(), [*ends, *ends]))
    assert statuses in ([200, 404, 404, 404], [204, 404, 404, 404])
    there = s3("GET", "/crowd/a").status
    assert there == (200 if statuses[0] == 200 else 404)
    assert states(database, "crowd").get("live", 0) == (1 if there == 200 else 0)
    assert "pending" not in states(database, "crowd")


def test_people_come_with_their_tokens_under_their_policies(api: World, s3: S3) -> None:
    people = People(api)
    ada, ben = (people.signs_in(people.somebody()).access_token for _ in range(2))

    def as_user(token: str) -> S3:
        return S3(api, "browser", "browser", token)

    a_bucket(
        api,
        "theirs",
        permissions={"create": ["users"], "read": ["owner"], "update": ["owner"], "delete": ["owner"]},
    )
    a_bucket(api, "closed")
    assert as_user(ada)("PUT", "/theirs/a", b"ada").status == 200
    assert as_user(ada)("GET", "/theirs/a").raw == b"ada"
    assert s3("GET", "/theirs/a").raw == b"ada"
    for refused in (
        as_user(ben)("GET", "/theirs/a"),
        as_user(ben)("PUT", "/theirs/a", b"ben"),
        as_user(ada)("PUT", "/closed/a", b"ada"),
        as_user(ada)("POST", "/closed/a?uploads"),
        as_user(ada)("PUT", "/mine"),
        as_user(ada)("DELETE", "/theirs"),
        S3(api, "browser", "other", ada)("GET", "/theirs/a"),
        S3(api, "browser", "browser", ada + "x")("GET", "/theirs/a"),
    ):
        assert refused.status in (403, 404), refused.raw
    upload = begun(as_user(ada), "/theirs/b")
    part = as_user(ada)("PUT", f"/theirs/b?{upload}&partNumber=1", b"part").headers["etag"]
    for gone in (
        as_user(ben)("PUT", f"/theirs/b?{upload}&partNumber=1", b"ben"),
        as_user(ben)("DELETE", f"/theirs/b?{upload}"),
        complete(as_user(ben), "/theirs/b", upload, (1, part)),
    ):
        assert (gone.status, code(gone)) == (404, "NoSuchUpload")
    assert api("PATCH", "/api/storage/buckets/theirs", {"permissions": {"read": ["owner"]}}).status == 200
    late = complete(as_user(ada), "/theirs/b", upload, (1, part))
    assert (late.status, code(late)) == (403, "AccessDenied")
    assert s3("GET", "/theirs/b").status == 404


def test_what_comes_in_parts_is_what_it_is_called(api: World, s3: S3) -> None:
    a_bucket(api, "pictures", allowed_mime_types=["image/png"])
    upload = texts(s3("POST", "/pictures/a?uploads", headers={"content-type": "image/png"}), "UploadId")[0]
    lie = s3("PUT", f"/pictures/a?uploadId={upload}&partNumber=1", b"<script>").headers["etag"]
    refused = complete(s3, "/pictures/a", f"uploadId={upload}", (1, lie))
    assert (refused.status, code(refused)) == (415, "InvalidMimeType")
    true = s3("PUT", f"/pictures/a?uploadId={upload}&partNumber=1", b"\x89PNG\r\n\x1a\n").headers["etag"]
    assert complete(s3, "/pictures/a", f"uploadId={upload}", (1, true)).status == 200


def test_a_bucket_may_go_while_an_upload_begins(api: World, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = api.platform.features["storage"].offers
    looks = storage.writer.target

    async def target(tx: Any, principal: Principal, bucket: str, *asked: Any, **said: Any) -> Any:
        found = await looks(tx, principal, bucket, *asked, **said)
        await storage.buckets.delete(Caller(SYSTEM, "req_1"), bucket)
        return found

    monkeypatch.setattr(storage.writer, "target", target)
    a_bucket(api, "goes")
    gone = s3("POST", "/goes/a?uploads")
    assert (gone.status, code(gone)) == (404, "NoSuchBucket")
    a_bucket(api, "goes")
    place = f"bucketName {b64encode(b'goes').decode()},objectName {b64encode(b'a').decode()}"
    headers = {"tus-resumable": "1.0.0", "upload-length": "5", "upload-metadata": place}
    assert api("POST", "/storage/v1/upload/resumable", headers=headers).status == 404


def test_who_completes_waits_for_the_object_before_the_quota(
    api: World, s3: S3, database: psycopg.Connection[Any]
) -> None:
    """As whoever replaces it meanwhile does: in another order each would wait for the other."""
    a_bucket(api, "order", quota_bytes=10_000)
    assert s3("PUT", "/order/a", b"one").status == 200
    upload = begun(s3, "/order/a")
    part = s3("PUT", f"/order/a?{upload}&partNumber=1", b"part").headers["etag"]
    place = f"bucketName {b64encode(b'order').decode()},objectName {b64encode(b'a').decode()}"
    tus = {"tus-resumable": "1.0.0", "x-upsert": "true"}
    headers = {**tus, "upload-length": "5", "upload-metadata": place}
    location = api("POST", "/storage/v1/upload/resumable", headers=headers).headers["location"]
    path = location[location.index("/storage/") :]
    headers = {**tus, "upload-offset": "0", "content-type": "application/offset+octet-stream"}

    def waits(end: Callable[[], Response]) -> int:
        with ThreadPoolExecutor(1) as threads:
            with database.transaction():
                database.execute("SELECT FROM storage.objects WHERE bucket_id = 'order' FOR UPDATE")
                ending = threads.submit(end)
                with pytest.raises(TimeoutError):
                    ending.result(0.5)
                counts = "SELECT FROM ogel.storage_quotas WHERE subject = 'bucket:order' FOR UPDATE NOWAIT"
                database.execute(counts)
            return ending.result(30).status

    assert waits(lambda: complete(s3, "/order/a", upload, (1, part))) == 200
    assert waits(lambda: api("PATCH", path, raw=b"whole", headers=headers)) == 204
    assert quota(database, "order") == (5, 0)

"""Objects of buckets that are scanned: read by nobody before a scanner has found them clean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from ogel.cli.doctor.patient import met
from ogel.cli.doctor.scanner import scanner
from ogel.features.storage.scanning.service import KIND
from ogel.features.storage.services import Storage
from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import Job, Outcome
from tests.support.clamd import EICAR, Clamd
from tests.support.contract import assert_problem
from tests.support.process import Response
from tests.support.world import World

OBJECT = "/storage/v1/object"


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with Clamd() as started:
        yield started


@pytest.fixture(scope="module")
def api(
    clamd: Clamd, suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    data = {"OGEL_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    with World(**suite_servers, **data, OGEL_CLAMAV=f"127.0.0.1:{clamd.port}") as world:
        yield world


@pytest.fixture
def bucket(api: World) -> str:
    id = f"s-{uuid4().hex[:12]}"
    made = api("POST", "/api/storage/buckets", {"id": id, "scanned": True, "public": True})
    assert made.status == 201, made.raw
    return id


def put(api: World, bucket: str, name: str, content: bytes) -> None:
    answer = api("POST", f"{OBJECT}/{bucket}/{name}", raw=content, headers={"x-upsert": "true"})
    assert answer.status == 200, answer.raw


def got(api: World, bucket: str, name: str) -> Response:
    return api("GET", f"{OBJECT}/authenticated/{bucket}/{name}")


def rows(api: World, query: bytes, **parameters: Any) -> list[Any]:
    async def ask() -> list[Any]:
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            found: list[Any] = await tx.tuples(query, parameters)
            return found

    return api.run(ask())


def scan(api: World) -> list[Outcome]:
    """Performs what waits in the queue, once."""
    storage: Storage = api.platform.features["storage"].offers
    waiting = rows(api, b"DELETE FROM job_queue WHERE kind = %(kind)s RETURNING payload", kind=KIND)

    def perform(payload: Any) -> Outcome:
        job = Job("job_1", KIND, payload, 0, "", "", 1, 8, "lease_1", utc_now(), utc_now(), None)
        return api.run(storage.scans.perform(job, None))

    return [perform(payload) for (payload,) in waiting]


def begin_all(api: World, *, again: bool = False) -> None:
    api.run(api.platform.features["storage"].offers.scans.begin_all(again=again))


def events(api: World, type: str) -> list[Any]:
    return [
        each["data"] for each in api("GET", f"/api/events?type=storage.object.{type}&limit=100").json["items"]
    ]


def test_what_is_clean_is_read_once_it_is_known_to_be(api: World, clamd: Clamd, bucket: str) -> None:
    content = b"harmless" * 100_000
    put(api, bucket, "a.txt", content)
    waits = got(api, bucket, "a.txt")
    assert (waits.status, waits.json["code"]) == (423, "ResourceLocked")
    assert waits.headers["retry-after"]
    assert api("GET", f"/storage/v1/render/image/public/{bucket}/a.txt", key="").status == 423
    assert api("GET", f"{OBJECT}/public/{bucket}/a.txt", key="").status == 423
    # It can be signed, and moved, but not read.
    signed = api("POST", f"{OBJECT}/sign/{bucket}/a.txt", {"expiresIn": 60}).json["signedURL"]
    assert api("GET", f"/storage/v1{signed}", key="").status == 423
    listed = api("POST", f"{OBJECT}/list/{bucket}", {"prefix": ""}).json
    assert [each["name"] for each in listed] == ["a.txt"]
    assert [each.verdict for each in scan(api)] == ["done"]
    assert clamd.scanned[-1] == len(content)
    assert got(api, bucket, "a.txt").raw == content
    assert api("GET", f"/storage/v1{signed}", key="").raw == content
    assert events(api, "clean")[0]["bucket"] == bucket
    # Other content waits again.
    put(api, bucket, "a.txt", b"other")
    assert got(api, bucket, "a.txt").status == 423
    scan(api)
    assert got(api, bucket, "a.txt").raw == b"other"


def test_malware_is_read_by_nobody_wherever_it_goes(api: World, bucket: str) -> None:
    put(api, bucket, "bad.zip", b"x" * 300_000 + EICAR + b"x" * 300_000)
    scan(api)
    found = got(api, bucket, "bad.zip")
    assert (found.status, found.json["code"]) == (403, "AccessDenied")
    [told] = [each for each in events(api, "infected") if each["bucket"] == bucket]
    assert (told["name"], told["malware"]) == ("bad.zip", "Eicar-Signature")
    open = f"o-{uuid4().hex[:8]}"
    assert api("POST", "/api/storage/buckets", {"id": open}).status == 201
    where = {"bucketId": bucket, "sourceKey": "bad.zip", "destinationBucket": open, "destinationKey": "b"}
    assert api("POST", f"{OBJECT}/copy", where).status == 403
    assert api("POST", f"{OBJECT}/move", where).status == 200
    assert got(api, open, "b").status == 403
    assert api("DELETE", f"{OBJECT}/{open}", {"prefixes": ["b"]}).status == 200


def test_a_scanner_that_is_away_or_refuses_lets_nothing_through(
    api: World, clamd: Clamd, bucket: str
) -> None:
    put(api, bucket, "a", b"x" * 1000)
    clamd.is_away = True
    try:
        assert [each.verdict for each in scan(api)] == ["postpone"]
    finally:
        clamd.is_away = False
    assert got(api, bucket, "a").status == 423
    begin_all(api)
    begin_all(api)  # a scan that waits is begun once
    clamd.most_bytes = 10
    try:
        assert [each.verdict for each in scan(api)] == ["done"]
    finally:
        clamd.most_bytes = 100_000_000
    assert got(api, bucket, "a").status == 423
    begin_all(api)
    assert scan(api) == []
    begin_all(api, again=True)
    assert [each.verdict for each in scan(api)] == ["done"]
    assert got(api, bucket, "a").status == 200


def test_what_is_large_is_refused_before_its_end_and_not_taken_for_clean(
    api: World, clamd: Clamd, bucket: str
) -> None:
    put(api, bucket, "large", b"x" * 10_000_000)
    clamd.most_bytes = 100_000
    try:
        scan(api)
    finally:
        clamd.most_bytes = 100_000_000
    assert got(api, bucket, "large").status == 423
    clamd.looks_at = 100_000
    try:
        begin_all(api, again=True)
        scan(api)
    finally:
        clamd.looks_at = 100_000_000
    assert got(api, bucket, "large").status == 423


def test_an_object_that_is_gone_or_changed_is_not_scanned(api: World, clamd: Clamd, bucket: str) -> None:
    put(api, bucket, "a", b"1")
    put(api, bucket, "a", b"22")
    put(api, bucket, "b", b"333")
    api("DELETE", f"{OBJECT}/{bucket}", {"prefixes": ["b"]})
    before = len(clamd.scanned)
    assert {each.verdict for each in scan(api)} == {"done"}
    assert clamd.scanned[before:] == [2]


def test_a_bucket_that_wants_no_scans_any_more_lets_go_what_waits(api: World, bucket: str) -> None:
    put(api, bucket, "a", b"1")
    assert api("PATCH", f"/api/storage/buckets/{bucket}", {"scanned": False}).json["scanned"] is False
    assert got(api, bucket, "a").status == 200
    # What moves into one that wants them waits there.
    other = f"s-{uuid4().hex[:12]}"
    assert api("POST", "/api/storage/buckets", {"id": other, "scanned": True}).status == 201
    where = {"bucketId": bucket, "sourceKey": "a", "destinationBucket": other, "destinationKey": "a"}
    assert api("POST", f"{OBJECT}/move", where).status == 200
    assert got(api, other, "a").status == 423
    scan(api)
    begin_all(api)
    scan(api)
    assert got(api, other, "a").status == 200


def test_a_bucket_is_scanned_only_where_there_is_a_scanner(
    suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = {"OGEL_DATA_DIR": str(tmp_path_factory.mktemp("other"))}
    with World(**suite_servers, **data) as without:
        answer = without("POST", "/api/storage/buckets", {"id": "scanned", "scanned": True})
        assert_problem(answer, 422)
        assert answer.json["errors"][0]["path"] == "body.scanned"


def test_the_doctor_tries_the_scanner(clamd: Clamd) -> None:
    def examined(**environ: str) -> list[tuple[bool, str]]:
        servers = {"DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://localhost"}
        found = asyncio.run(scanner(met({**servers, **environ})))
        return [(each.ok, each.detail) for each in found]

    assert examined() == []
    assert examined(OGEL_CLAMAV=f"127.0.0.1:{clamd.port}") == [(True, f"127.0.0.1:{clamd.port} scans")]
    clamd.is_away = True
    try:
        [(is_well, said)] = examined(OGEL_CLAMAV=f"localhost:{clamd.port}")
    finally:
        clamd.is_away = False
    assert not is_well
    assert "does not answer well" in said

"""The store and the rows held against each other, on a directory and on an S3 service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ogel.adapters.storage.s3 import BucketObjects
from ogel.features.storage.blobs import verify
from ogel.features.storage.blobs.verify import Report, Verifier
from ogel.runtime.objects import ObjectStore, delete_all, one
from tests.support.blobs import Blobs
from tests.support.world import World

BUCKET = "verified"


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, api: World) -> Iterator[Blobs]:
    """With a bucket of its own, and a store that is empty."""
    objects: ObjectStore | None = None
    if request.param == "s3":
        objects = BucketObjects(request.getfixturevalue("seaweed").bucket)
    blobs = Blobs(api, objects)
    blobs.run(clean(blobs))
    assert api("POST", "/storage/v1/bucket", {"name": BUCKET}).status == 200
    yield blobs
    blobs.run(clean(blobs))
    if objects is not None:
        blobs.run(objects.close())


async def clean(blobs: Blobs) -> None:
    await blobs.tuples(
        b"WITH a AS (DELETE FROM objects), b AS (DELETE FROM ogel.storage_quotas)"
        b" DELETE FROM buckets RETURNING 1",
        {},
    )
    await blobs.tuples(b"DELETE FROM ogel.storage_blobs RETURNING 1", {})
    await delete_all(blobs.objects, "blobs/")


async def an_object(blobs: Blobs, name: str, *contents: bytes) -> list[str]:
    """Returns the keys of its blobs."""
    version = f"version of {name}"
    keys = [(await blobs.kept(each, version, n, bucket=BUCKET)).key for n, each in enumerate(contents)]
    await blobs.tuples(
        b"INSERT INTO objects (bucket_id, name, version, metadata) VALUES (%(bucket)s, %(name)s, %(version)s,"
        b" jsonb_build_object('size', %(size)s::bigint)) RETURNING 1",
        {"bucket": BUCKET, "name": name, "version": version, "size": sum(map(len, contents))},
    )
    return keys


def run(blobs: Blobs, *, young: timedelta = timedelta(0), sample: float = 1.0, fix: bool = False) -> Report:
    verifier = Verifier(blobs.database, blobs.objects, blobs.service, young)
    return blobs.run(verifier.run(sample=sample, fix=fix))


def found(report: Report) -> set[tuple[str, str, str | None]]:
    return {(each.kind, each.subject, each.name) for each in report.findings}


def test_what_is_as_it_should_be_is_clean_and_read(blobs: Blobs) -> None:
    async def story() -> None:
        for n in range(3):
            await an_object(blobs, f"whole {n}", b"one", b"", b"three" * n)
        await blobs.filled(b"on its way")
        given_up = await blobs.filled(b"given up")
        await blobs.service.give_up([given_up.intent])

    blobs.run(story())
    report = run(blobs)
    assert report.is_clean, report
    assert (report.done, report.blobs) == (1.0, 11)
    assert report.read_bytes == 3 * 3 + 5 * (0 + 1 + 2)
    assert run(blobs, sample=0.0).read_bytes == 0


def test_every_inconsistency_is_found_and_what_can_be_is_put_right(blobs: Blobs) -> None:
    async def story() -> dict[str, list[str]]:
        keys = {
            name: await an_object(blobs, name, b"first", b"second")
            for name in ("missing", "short", "changed", "well", "no rows", "no object")
        }
        await blobs.objects.delete(keys["missing"][1])
        await blobs.objects.put(keys["short"][0], one(b"fir"))
        await blobs.objects.put(keys["changed"][0], one(b"fIrst"))
        await blobs.objects.put("blobs/ab/unknown", one(b"unknown"))
        await blobs.tuples(
            b"DELETE FROM ogel.storage_blobs WHERE key = ANY (%(keys)s) RETURNING 1",
            {"keys": keys["no rows"]},
        )
        lost = await blobs.kept(b"lost", "of nothing", bucket=BUCKET)
        keys["no object"] = [lost.key]
        await blobs.tuples(
            b"INSERT INTO ogel.storage_quotas VALUES ('bucket:verified', 1000, 3, 4), ('user:nobody', 1000, 0, 0)"
            b" RETURNING 1",
            {},
        )
        return keys

    keys = blobs.run(story())
    lost = {
        ("missing_blob", keys["missing"][1], "missing"),
        ("size_mismatch", keys["short"][0], "short"),
        ("hash_mismatch", keys["changed"][0], "changed"),
    }
    report = run(blobs, fix=False)
    (incomplete,) = [each.subject for each in report.findings if each.kind == "incomplete_object"]
    lost.add(("incomplete_object", incomplete, "no rows"))
    unknown = {("unknown_blob", key, None) for key in ("blobs/ab/unknown", *keys["no rows"])}
    others = {("unowned_blob", keys["no object"][0], None), ("wrong_quota", "bucket:verified", None)}
    assert found(report) == lost | unknown | others
    assert (report.fixed, report.counts["unknown_blob"]) == (0, 3)

    # Nothing young is unknown: it may be somebody's whose row was read before it was there.
    assert found(run(blobs, young=timedelta(hours=1))) == lost | others

    fixed = run(blobs, fix=True)
    assert found(fixed) == lost | unknown | others
    assert fixed.fixed == 5
    assert {each.kind for each in fixed.findings if each.is_fixed} == set(verify.FIXABLE)
    assert found(run(blobs)) == lost
    used = blobs.run(
        blobs.tuples(b"SELECT used_bytes, reserved_bytes FROM ogel.storage_quotas ORDER BY 1", {})
    )
    assert used == [(0, 0), (5 * 11, 0)]


def test_it_tells_how_far_it_is_and_pages(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PAGE", "_SUSPECTS", "_TOLD_EVERY"):
        monkeypatch.setattr(verify, name, 7)
    told: list[float] = []

    async def tell(report: Report) -> None:
        told.append(report.done)

    async def story() -> tuple[Report, list[str]]:
        keys = await an_object(blobs, "of many", *(bytes([n]) for n in range(40)))
        await asyncio.gather(*(blobs.objects.delete(key) for key in keys[:20]))
        verifier = Verifier(blobs.database, blobs.objects, blobs.service, timedelta(0))
        return await verifier.run(told=tell), keys

    report, keys = blobs.run(story())
    assert report.counts == {"missing_blob": 20}
    assert {each.subject for each in report.findings} == set(keys[:20])
    assert len(told) == 6
    assert told == sorted(told)
    assert told[-1] == 1.0

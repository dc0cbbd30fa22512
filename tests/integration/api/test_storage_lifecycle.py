"""Objects that end: at a time of their own, or by a rule of their bucket."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ogel.features.storage.services import Storage
from ogel.features.storage.tending import Tending
from ogel.kernel.clock import utc_now
from ogel.runtime.purge import Purge
from tests.support.world import World

OBJECT = "/storage/v1/object"


@pytest.fixture(scope="module")
def storage(api: World) -> Storage:
    found: Storage = api.platform.features["storage"].offers
    return found


def a_bucket(api: World, lifecycle: list[dict[str, Any]], *names: str) -> str:
    id = f"l-{uuid4().hex[:12]}"
    assert api("POST", "/api/storage/buckets", {"id": id, "lifecycle": lifecycle}).status == 201
    for name in names:
        assert api("POST", f"{OBJECT}/{id}/{name}", raw=b"x").status == 200
    return id


def run(api: World, query: bytes, **parameters: Any) -> None:
    async def execute() -> None:
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            await tx.execute(query, parameters)

    api.run(execute())


def age(api: World, bucket: str, days: float, prefix: str = "") -> None:
    run(
        api,
        b"UPDATE objects SET created_at = now() - %(age)s, updated_at = now() - %(age)s"
        b" WHERE bucket_id = %(bucket)s AND starts_with(name, %(prefix)s)",
        bucket=bucket,
        age=timedelta(days=days),
        prefix=prefix,
    )


def names(api: World, bucket: str) -> list[str]:
    async def ask() -> list[str]:
        query = b"SELECT name FROM objects WHERE bucket_id = %(bucket)s ORDER BY name"
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            return [name for (name,) in await tx.tuples(query, {"bucket": bucket})]

    return api.run(ask())


def purge(api: World, storage: Storage, *, dry: bool = False, limit: int = 100) -> int:
    """How many there were to delete; in batches."""
    purge: Purge = storage.lifecycle.purge()

    async def performed() -> int:
        async with storage.core.database.autocommit() as tx:
            number = await purge.count(tx, utc_now())
        is_over = dry
        while not is_over:
            async with storage.core.database.transaction() as tx:
                is_over = (await purge.batch(tx, utc_now(), limit)).is_over
        return number

    return api.run(performed())


def test_a_rule_ends_what_is_old_enough_and_begins_with_its_prefix(api: World, storage: Storage) -> None:
    rules = [{"prefix": "tmp/", "age_days": 7}, {"prefix": "logs/2026-1%", "age_days": 1}, {"age_days": 365}]
    bucket = a_bucket(api, rules, "tmp/a", "tmp/b", "tmpx", "logs/2026-11", "old/a", "Tmp/c")
    other = a_bucket(api, [], "tmp/a")
    for each in (bucket, other):
        age(api, each, 8)
    age(api, bucket, 400, "old/")
    assert purge(api, storage, dry=True) == 3
    assert len(names(api, bucket)) == 6
    assert purge(api, storage, limit=1) == 3
    assert names(api, bucket) == ["Tmp/c", "logs/2026-11", "tmpx"]
    assert names(api, other) == ["tmp/a"]
    removed = api("GET", "/api/events?type=storage.object.removed&limit=100").json["items"]
    assert {each["data"]["name"] for each in removed} >= {"tmp/a", "tmp/b", "old/a"}
    assert purge(api, storage) == 0


def test_content_that_is_new_is_not_old(api: World, storage: Storage) -> None:
    bucket = a_bucket(api, [{"age_days": 1}], "a", "b")
    age(api, bucket, 2)
    assert api("POST", f"{OBJECT}/{bucket}/a", raw=b"new", headers={"x-upsert": "true"}).status == 200
    purge(api, storage)
    assert names(api, bucket) == ["a"]


def test_rules_that_nobody_can_read_end_nothing_and_stop_no_others(api: World, storage: Storage) -> None:
    bad = a_bucket(api, [], "a")
    good = a_bucket(api, [{"age_days": 1}], "a")
    unreadable = '[{"age_days": "soon"}, 7, {"prefix": "a"}, {"age_days": -1}]'
    set_rules = b"UPDATE buckets SET lifecycle = %(rules)s::jsonb WHERE id = %(id)s"
    run(api, set_rules, id=bad, rules=unreadable)
    for each in (bad, good):
        age(api, each, 2)
    purge(api, storage)
    assert (names(api, bad), names(api, good)) == (["a"], [])
    run(api, set_rules, id=bad, rules="[]")


def test_what_has_expired_is_served_to_nobody_and_gone_within_a_minute(api: World, storage: Storage) -> None:
    bucket = a_bucket(api, [], "a", "b", "c")
    end = b"UPDATE objects SET expires_at = now() + %(after)s WHERE bucket_id = %(id)s AND name = %(name)s"
    for name, seconds in (("a", -1), ("b", 3600)):
        run(api, end, id=bucket, name=name, after=timedelta(seconds=seconds))
    assert api("GET", f"{OBJECT}/authenticated/{bucket}/a").json["code"] == "NoSuchKey"
    assert api("GET", f"{OBJECT}/authenticated/{bucket}/b").status == 200
    assert purge(api, storage, dry=True) == 1
    tending = Tending(storage.lifecycle, storage.scans, storage.quotas)
    api.run(tending.perform(None, None))  # type: ignore[arg-type]
    assert names(api, bucket) == ["b", "c"]
    [told] = [
        each["data"]
        for each in api("GET", "/api/events?type=storage.object.removed&limit=100").json["items"]
        if each["data"]["bucket"] == bucket
    ]
    assert told["name"] == "a"


def test_cleanup_tells_what_lifecycle_rules_would_end(api: World, storage: Storage) -> None:
    bucket = a_bucket(api, [{"age_days": 3}], "a")
    age(api, bucket, 4)
    due = api("POST", "/api/cleanup/objects/run", {"dry_run": True})
    assert due.status == 200, due.raw
    assert due.json["due"] == 1
    purge(api, storage)


def test_an_object_is_stored_with_its_end(api: World, storage: Storage) -> None:
    bucket = a_bucket(api, [])

    def put(name: str, **headers: str) -> int:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return api("POST", f"{OBJECT}/{bucket}/{name}", raw=b"x", headers=sent).status

    assert put("in", x_expires_in="3600") == put("at", x_expires_at="2100-01-31T12:00:00+01:00") == 200
    for headers in (
        {"x_expires_in": "0"},
        {"x_expires_in": "-1"},
        {"x_expires_in": "1.5"},
        {"x_expires_in": "9" * 30},
        {"x_expires_at": "tomorrow"},
        {"x_expires_at": "2100-01-31T12:00:00"},
        {"x_expires_at": "2001-01-31T12:00:00Z"},
        {"x_expires_at": "9999-12-31T23:59:59-12:00"},
        {"x_expires_in": "1", "x_expires_at": "2100-01-31T12:00:00Z"},
    ):
        assert put("wrong", **headers) == 400, headers
    assert names(api, bucket) == ["at", "in"]
    form = (
        b'--b\r\ncontent-disposition: form-data; name=""; filename=f\r\n\r\nx\r\n--b--\r\n',
        {"content-type": "multipart/form-data; boundary=b", "x-expires-in": "3600"},
    )
    assert api("POST", f"{OBJECT}/{bucket}/form", raw=form[0], headers=form[1]).status == 200
    encoded = [b64encode(each.encode()).decode() for each in (bucket, "tus", "3600")]
    metadata = "bucketName {},objectName {},expiresIn {}".format(*encoded)
    tus = {"tus-resumable": "1.0.0", "upload-length": "0", "upload-metadata": metadata}
    assert api("POST", "/storage/v1/upload/resumable", headers=tus).status == 201
    ends = lasts(api, bucket)
    assert ends.pop("at") > timedelta(days=365)
    assert list(ends) == ["form", "in", "tus"]
    assert all(timedelta(minutes=59) < each <= timedelta(hours=1) for each in ends.values())
    # What replaces it has no end.
    assert put("in", x_upsert="true") == 200
    assert "in" not in lasts(api, bucket)


def lasts(api: World, bucket: str) -> dict[str, timedelta]:
    """How long each object goes on that has an end."""

    async def ask() -> dict[str, timedelta]:
        query = (
            b"SELECT name, expires_at - now() FROM objects"
            b" WHERE bucket_id = %(bucket)s AND expires_at IS NOT NULL ORDER BY name"
        )
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            return dict(await tx.tuples(query, {"bucket": bucket}))

    return api.run(ask())

"""Whenever a process dies that stores or deletes objects: once the reaper was there, everything is as it should be."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ogel.features.storage.blobs.verify import Verifier
from ogel.runtime.objects import delete_all
from tests.support.dying_storage import BUCKET, ENCRYPTED, LITTLE, MODULE, MUCH, STORIES
from tests.support.forking import Forked
from tests.support.process import ADMIN_KEY, SECRET
from tests.support.world import World

KILLS = 250  # on each of two stores
LATER = datetime.now(UTC) + timedelta(days=2)


class Mortal:
    """A database and a store, with a bucket that has a quota."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OGEL_")},
            "OGEL_ADMIN_KEY": ADMIN_KEY,
            "OGEL_SECRET": SECRET,
            **environment,
        }
        with World(**environment) as world:
            for bucket in (BUCKET, ENCRYPTED):
                assert world("POST", "/storage/v1/bucket", {"name": bucket}).status == 200
            for statement in (
                b"UPDATE buckets SET encrypted = true WHERE id = 'sealed'",
                b"INSERT INTO ogel.storage_quotas SELECT 'bucket:' || id, 10^15, 0, 0 FROM buckets",
            ):
                world.run(execute(world, statement))
            # Tests share the bucket of the S3 service.
            world.run(delete_all(world.platform.core.objects, "blobs/"))
        self._settings = environment

    def run(self, *arguments: str, log: Path, seconds: float) -> Any:
        with log.open("w+b") as output, (log.parent / "errors").open("w+b") as errors:
            process = Forked(arguments, self.environment, output.fileno(), errors.fileno(), module=MODULE)
            try:
                code = process.wait(seconds)
            finally:
                process.kill()
            errors.seek(0)
            assert code == 0, errors.read().decode()[-4000:]
        return json.loads(log.read_text().splitlines()[-1])

    def settle(self) -> None:
        """Lets the time of everything be over that is no object's, and looks at what is there."""
        with World(**self._settings) as world:
            stored = world.run(self._settle(world))
            print(f"{len(stored)} objects")
            for name in stored:
                found = world("GET", f"/storage/v1/object/authenticated/{name}")
                assert found.raw in (LITTLE, MUCH), name

    async def _settle(self, world: World) -> Sequence[str]:
        core = world.platform.core
        blobs = core.features["storage"].offers.blobs
        for _ in range(100):
            await execute(
                world, b"UPDATE ogel.storage_blobs SET until = now() - interval '1 s' WHERE state <> 'live'"
            )
            if not await blobs.reap():
                break
        await core.objects.sweep("blobs/", LATER)
        report = await Verifier(core.database, core.objects, blobs, timedelta(0)).run(sample=1.0)
        assert report.is_clean, report
        keys = {entry.key async for entry in core.objects.list("blobs/")}
        async with core.database.autocommit() as tx:
            rows = await tx.tuples(b"SELECT key, state FROM ogel.storage_blobs")
            names = await tx.tuples(b"SELECT bucket_id || '/' || name FROM objects")
            wrong = await tx.tuples(
                b"SELECT * FROM ogel.storage_quotas AS q WHERE reserved_bytes <> 0 OR used_bytes <> ("
                b"SELECT coalesce(sum(size), 0) FROM ogel.storage_blobs WHERE 'bucket:' || bucket_id = q.subject)"
            )
        assert set(rows) == {(key, "live") for key in keys}
        assert wrong == []
        assert await core.objects.sweep("blobs/", LATER) == 0
        return [name for (name,) in names]


async def execute(world: World, statement: bytes) -> None:
    async with world.platform.core.database.autocommit() as tx:
        await tx.execute(statement)


def mortal_on(environment: Mapping[str, str], *, s3: Mapping[str, str] | None = None) -> Mortal:
    most = {"OGEL_STORAGE_FILE_SIZE_LIMIT": "50000000", "OGEL_MAX_BODY_BYTES": "50000000"}
    return Mortal({**environment, **most, **(s3 or {})})


@pytest.fixture
def suite(database_url: str, redis_url: str, tmp_path: Path) -> Mapping[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_DATA_DIR": str(tmp_path)}


@pytest.fixture(params=["local", "s3"])
def mortal(request: pytest.FixtureRequest, suite: Mapping[str, str]) -> Mortal:
    on_s3 = request.param == "s3"
    return mortal_on(suite, s3=request.getfixturevalue("seaweed").environment if on_s3 else None)


def test_a_death_at_any_step_leaves_nothing_behind(suite: Mapping[str, str], tmp_path: Path) -> None:
    mortal = mortal_on(suite)
    passed = mortal.run("points", "reap", "put", "delete", log=tmp_path / "log", seconds=300)
    print(passed)
    assert sum(map(len, passed.values())) > 10
    mortal.settle()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_death_at_any_step_of_all_leaves_nothing_behind(mortal: Mortal, tmp_path: Path) -> None:
    passed = mortal.run("points", *STORIES, log=tmp_path / "log", seconds=1200)
    print(f"{sum(map(len, passed.values()))} deaths")
    mortal.settle()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_deaths_at_any_time_leave_nothing_behind(mortal: Mortal, tmp_path: Path) -> None:
    assert mortal.run("kills", str(KILLS), log=tmp_path / "log", seconds=1200) == KILLS
    mortal.settle()

"""Transcripts of Supabase Storage, each played from its file alone: the same, or a difference with its reason."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Servers, migrated
from tests.golden.expectation import expected, unknown_lines
from tests.golden.storage.differences import BEGINNINGS, DIFFERENCES, STEPS, everywhere
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import told
from tests.golden.storage.suites import ENVIRONMENT, GoldenStorage
from tests.golden.storage.transcript import FILES, Line, read
from tests.support.world import World


@pytest.fixture(scope="module")
def storage(
    servers: Servers, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GoldenStorage]:
    data = str(tmp_path_factory.mktemp("data"))
    with (
        migrated(servers, _template) as url,
        World(DATABASE_URL=url, REDIS_URL=servers.redis_url, OGEL_DATA_DIR=data, **ENVIRONMENT) as world,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield GoldenStorage(world, connection)
        # Processes that made pictures end with ours; here their loop ends before.
        world.run(world.platform.features["storage"].offers.image_pool.close())


@pytest.mark.parametrize("file", FILES)
def test_answers_as_recorded(file: str, storage: GoldenStorage) -> None:
    assert unknown_lines(read(file), DIFFERENCES.get(file, ())) == []
    assert set(STEPS.get(file, ())) <= {line.name for line in read(file)}
    storage.clean()
    replay = Replay(storage)
    if file in BEGINNINGS:
        BEGINNINGS[file](replay)
    report = [
        f"{line.name}: {difference}" for line in read(file) for difference in _played(replay, file, line)
    ]
    assert not report, "\n".join(report)


def _played(replay: Replay, file: str, line: Line) -> list[str]:
    """Before an exchange, the step of its name is taken; other lines are told by theirs."""
    step = STEPS.get(file, {}).get(line.name)
    try:
        if line.request is None:
            return (step or told)(replay, line)
        before = step(replay, line) if step is not None else []
        answer = expected(line, [*everywhere(line), *DIFFERENCES.get(file, ())])
        return before + replay.play(line, answer)
    except (AssertionError, KeyError, ValueError) as error:  # a fault of ours, or a difference that is none
        return [repr(error)]


def test_no_file_is_left_out() -> None:
    assert len(FILES) == 21
    assert set(DIFFERENCES) | set(STEPS) | set(BEGINNINGS) <= set(FILES)

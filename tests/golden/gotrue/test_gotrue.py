"""Every transcript of Supabase Auth, played from its file alone: the same answers, or a difference with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conftest import Servers
from tests.golden.expectation import Difference, expected, unknown_lines
from tests.golden.gotrue.differences import DIFFERENCES, FORMATS, everywhere
from tests.golden.gotrue.replay import Replay
from tests.golden.gotrue.steps import Step
from tests.golden.gotrue.stories import STORIES
from tests.golden.gotrue.suites import GoldenSuite, golden_suite
from tests.golden.gotrue.transcript import FILES, Line, read
from tests.support.issuer import an_issuer


@pytest.fixture
def replay(servers: Servers, _template: str, redis_url: str, tmp_path: Path) -> Iterator[Replay]:
    def suite(profile: str) -> AbstractContextManager[GoldenSuite]:
        return golden_suite(profile, servers, _template, redis_url, tmp_path / "templates", **issuer.settings)

    with an_issuer() as issuer, Replay(suite, FORMATS, issuer) as started:
        yield started


@pytest.mark.parametrize("file", FILES)
def test_answers_as_recorded(file: str, replay: Replay) -> None:
    lines, known, story = read(file), DIFFERENCES.get(file, ()), STORIES.get(file, {})
    assert unknown_lines(lines, known) == []
    assert set(story) <= {line.name for line in lines}
    report = [
        f"{line.name}: {difference}"
        for line in lines
        for difference in _played(replay, line, story.get(line.name, ()), [*everywhere(line), *known])
    ]
    assert not report, "\n".join(report)


def _played(
    replay: Replay, line: Line, steps: Sequence[Step], differences: Sequence[Difference]
) -> Sequence[str]:
    answer = expected(line, differences)
    try:
        for step in steps:
            step(replay)
        return replay.play(line, answer)
    except (AssertionError, KeyError) as error:  # a fault of ours, or a step that did not go as it should
        return [repr(error)]


def test_no_file_is_left_out() -> None:
    assert len(FILES) == 27
    assert set(DIFFERENCES) | set(STORIES) <= set(FILES)

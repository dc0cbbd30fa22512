"""What the tester did between the lines, and what lines tell that are no exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.golden.storage.replay import Replay
from tests.golden.storage.transcript import Line

# Does what a line tells, and returns what came otherwise, a text each.
Step = Callable[[Replay, Line], list[str]]
# By file and name of the line.
Steps = Mapping[str, Mapping[str, Step]]
# What is to be done before a file is played, by its name: to set `prepared` and `made`.
Beginnings = Mapping[str, Callable[[Replay], None]]


def told(replay: Replay, line: Line) -> list[str]:
    """SQL is run; what a client library returned is for the test that has the library."""
    if "sql" in line.told:
        replay.suite.sql(line.told["sql"])
        return []
    if "client" in line.told:
        return []
    return [f"nobody knows what to do with {line.told}: see steps.py"]

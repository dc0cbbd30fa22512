"""What client libraries return, held against what they returned when they were recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.golden.compare import compare
from tests.golden.expectation import Json, laid_over
from tests.golden.placeholders import Labels
from tests.golden.storage.compare import FORMATS, NEWEST
from tests.golden.storage.differences_clients import RESULTS
from tests.golden.storage.transcript import read

_RETURNED = " -> what the client returned"


def play(file: str, results: Iterable[tuple[str, Any]]) -> list[str]:
    """What came otherwise, a line each. `results` are those of all calls, in their order."""
    recorded = {
        line.name.removesuffix(_RETURNED): line.told["client"]
        for line in read(file)
        if line.name.endswith(_RETURNED)
    }
    known, labels, report, called = RESULTS.get(file, {}), Labels(FORMATS, NEWEST), [], []
    for name, result in results:
        called.append(name)
        expected = laid_over(_with_true_status(recorded[name]), known.get(name, {}))
        report += [f"{name}: {each}" for each in compare(expected, result, labels, "result")]
    left_out = [name for name in recorded if name not in called]
    return report + [f"nobody called {name}" for name in left_out]


def _with_true_status(told: Json) -> Json:
    """Libraries show the status that the answer had: see differences.TRUE_STATUS."""
    error = told.get("error")
    if not isinstance(error, dict):
        return told
    return {**told, "error": {**error, "status": int(error["statusCode"])}}

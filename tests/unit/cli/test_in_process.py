"""Commands that answer in their own process: somebody sits before them and waits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ogel.cli import in_process
from tests.support.cli import ogel_here


def test_a_database_that_is_away_is_not_waited_for_as_at_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "PATIENCE_SECONDS", 0.1)
    began = time.monotonic()
    seen = ogel_here(
        "alerts",
        DATABASE_URL="postgresql://127.0.0.1:1/d",
        REDIS_URL="redis://127.0.0.1:1",
        OGEL_DATA_DIR=str(tmp_path),
    )
    assert (seen.code, seen.out) == (2, "")
    assert seen.err.startswith("ogel: DATABASE_URL: ") and seen.err.count("\n") == 1
    assert time.monotonic() - began < 30

"""`make demo` is the first thing a newcomer runs: it works, says when it does not, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent.parent.parent / "docs" / "examples" / "demo.py"
FAR_FROM_HERE = "postgresql://nobody@192.0.2.1/never"


def test_it_follows_every_event_and_leaves_nothing(tmp_path: Path) -> None:
    # A developer's own database is none of the demo's business.
    with started(tmp_path, DATABASE_URL=FAR_FROM_HERE) as demo:
        shown, errors = demo.communicate(timeout=100)
    assert demo.returncode == 0, shown + errors
    assert errors == ""
    for event, count in (("order.created", 1), ("order.updated", 1), ("order.item_added", 100)):
        [row] = [line for line in shown.splitlines() if line.strip().startswith(event)]
        assert row.count(f"{count} of {count}") == 4, shown
    assert "102 events, none lost" in shown
    assert_nothing_left(tmp_path)


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as demo:
        assert demo.stdout is not None
        while "up in" not in (line := demo.stdout.readline()):
            assert line, "it ended before it was up"
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "interrupted" in errors
    assert_nothing_left(tmp_path)


def test_when_ogel_cannot_start_it_says_so_and_why(tmp_path: Path) -> None:
    with started(tmp_path, OGEL_PG_BIN=str(tmp_path / "nothing-here")) as demo:
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "demo: failed: " in errors
    assert "nothing-here" in errors  # the last lines of the log
    assert_nothing_left(tmp_path)


def started(directory: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(DEMO)],
        env={**os.environ, "TMPDIR": str(directory), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_nothing_left(directory: Path) -> None:
    assert list(directory.iterdir()) == []
    # Ogel has the directory in its environment, its servers on their command lines; our own children are theirs.
    if sys.platform == "linux":
        own = str(os.getpid())
        assert [
            pid for pid in Path("/proc").glob("[0-9]*") if pid.name != own and _mentions(pid, directory)
        ] == []


def _mentions(process: Path, directory: Path) -> bool:
    wanted = str(directory).encode()
    try:
        return any(wanted in (process / file).read_bytes() for file in ("cmdline", "environ"))
    except OSError:
        return False  # it is not ours to read, or has just ended

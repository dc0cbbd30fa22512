"""Ctrl-C while modules are still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# What is imported, at the earliest, by: the command line, a sub-command, a process that is about to serve.
MOMENTS = [("up", "click"), ("up", "msgspec"), ("api", "starlette"), ("webhooks", "msgspec")]
# Some catch whatever is raised in the middle of them, and go on.
SLOW = "import time\nprint('here', flush=True)\ntry:\n    time.sleep(60)\nexcept BaseException:\n    time.sleep(60)\n"


@pytest.mark.parametrize(("command", "module"), MOMENTS)
def test_ctrl_c_amid_imports_is_the_end_and_no_traceback(tmp_path: Path, command: str, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(SLOW)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}",
        "OGEL_DATA_DIR": str(tmp_path / "data"),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "ogel", *([command, "list"] if command == "webhooks" else [command])],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, said) == (-signal.SIGINT, "")

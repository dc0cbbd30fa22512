"""tus-js-client, in node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import npm

PACKAGE = "tus-js-client@4.3.1"
_UPLOAD = Path(__file__).parent / "upload.mjs"
_SECONDS = 100


def install(directory: Path) -> Path:
    """The exact version, in a directory of its own."""
    npm.install(directory, PACKAGE)
    shutil.copy(_UPLOAD, directory / "upload.mjs")
    return directory


def begin(directory: Path, uploads: Sequence[Mapping[str, Any]]) -> subprocess.Popen[str]:
    """Uploads one after the other, with options of the library and `file`."""
    command = ["node", "upload.mjs", *(json.dumps(each) for each in uploads)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=directory, stdout=pipe, stderr=pipe, text=True)


def ended(node: subprocess.Popen[str]) -> list[Any]:
    """What came of each of them."""
    said, wrong = node.communicate(timeout=_SECONDS)
    assert node.returncode == 0, wrong
    return [json.loads(line) for line in said.splitlines()]

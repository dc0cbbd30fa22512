"""@supabase/supabase-js and its @supabase/auth-js as npm has them, in processes of node's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.golden.gotrue.clients.client import Answer, Called
from tests.support import npm

# It asks for auth-js of exactly its own version.
PACKAGE = "@supabase/supabase-js@2.119.1"
_CALLS = Path(__file__).parent / "calls.mjs"


def install(directory: Path) -> Path:
    """The exact version, in a directory of its own."""
    npm.install(directory, PACKAGE)
    shutil.copy(_CALLS, directory / "calls.mjs")
    return directory


def run(directory: Path, code: str) -> str:
    """Returns what it printed."""
    (directory / "page.mjs").write_text(code)
    command = ["node", "page.mjs"]
    finished = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


class JavaScriptClient:
    def __init__(self, directory: Path, url: str, anon_key: str, admin_key: str) -> None:
        self._command = ["node", "calls.mjs", url, anon_key, admin_key]
        self._directory = directory

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._node = subprocess.Popen(self._command, cwd=self._directory, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._node.terminate()
        self._node.communicate(timeout=10)

    def call(self, client: str, method: str, args: Sequence[Any]) -> Called:
        """`client` is `implicit`, `pkce` or `admin`; `tabs` with a number refreshes in that many at once."""
        assert self._node.stdin is not None and self._node.stdout is not None
        self._node.stdin.write(json.dumps({"client": client, "method": method, "args": args}) + "\n")
        self._node.stdin.flush()
        said = json.loads(self._node.stdout.readline())
        return Called(said["result"], [Answer(**each) for each in said["answers"]])

"""@supabase/storage-js as npm has it, in a process of node's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.golden.gotrue.clients.javascript import run

_CALLS = Path(__file__).parent / "calls.mjs"
_CALLED = """
process.argv.push(...{arguments});
await import("./storage_calls.mjs");
"""


def results(directory: Path, url: str, anon_key: str, admin_key: str) -> Iterator[tuple[str, Any]]:
    """What each call returned, by its name. The library is installed in the directory."""
    shutil.copy(_CALLS, directory / "storage_calls.mjs")
    code = _CALLED.replace("{arguments}", json.dumps([url, anon_key, admin_key]))
    for line in run(directory, code).splitlines():
        told = json.loads(line)
        yield told["name"], told["result"]

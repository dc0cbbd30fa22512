"""Each test that docs/security.md names exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")


def test_each_named_test_exists() -> None:
    texts: dict[str, list[str]] = {}
    for path in ROOT.glob("tests/**/test_*.py"):
        texts.setdefault(path.name, []).append(path.read_text())
    named = _NAMED.findall((ROOT / "docs" / "security.md").read_text())
    assert len(named) > 50
    assert [name for name, _ in named if name not in texts] == []
    assert [
        f"{name}::{test}"
        for name, test in named
        if test and not any(f"def {test}(" in text for text in texts[name])
    ] == []

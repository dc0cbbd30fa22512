"""Names become ASCII in one place: another reader would make other domains of some of them."""

from __future__ import annotations

import re
from pathlib import Path

import ogel

ROOT = Path(ogel.__file__).parent
# Python's codec is IDNA 2003, and sockets use it for every text that is not ASCII.
CODEC = re.compile(r"""["']idna["']|encodings\.idna|import idna""")
LOOK_UP = re.compile(r"\bgetaddrinfo\b|\bgethostby\w+")


def files_with(pattern: re.Pattern[str]) -> set[str]:
    return {
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if pattern.search(path.read_text("utf-8"))
    }


def test_one_file_makes_names_ascii() -> None:
    assert files_with(CODEC) == {"runtime/domain.py"}


def test_names_are_looked_up_where_they_are_ascii() -> None:
    """Hosts of URLs by `egress`, those of registered databases by `databases`, those that are measured by `network`."""
    assert files_with(LOOK_UP) == {
        "adapters/databases/addresses.py",
        "adapters/egress/resolver.py",  # in words
        "adapters/egress/system_names.py",
        "adapters/network/names.py",
    }

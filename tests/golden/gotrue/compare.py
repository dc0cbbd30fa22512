"""What of an answer of Supabase Auth is held against the recorded one besides its body; README.md says what counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.golden.compare import compare, differs, same_text
from tests.golden.placeholders import Labels

# Headers that mean something: one that was not recorded was not sent.
HEADERS = (
    "Content-Type",
    "X-Sb-Error-Code",
    "X-Supabase-Api-Version",
    "Location",
    "Link",
    "X-Total-Count",
    "Allow",
    "Retry-After",
)


def compare_headers(
    expected: Mapping[str, str] | str, actual: Mapping[str, str], labels: Labels
) -> list[str]:
    """`actual` by names in lower case."""
    if isinstance(expected, str):
        return []  # anything
    lines = []
    for name in dict.fromkeys([*HEADERS, *expected]):
        wanted, came = expected.get(name), actual.get(name.lower())
        if name == "Content-Type" and came is not None:
            came = came.partition(";")[0]
            wanted = wanted and wanted.partition(";")[0]
        if wanted is None or came is None:
            if wanted != came:
                lines.append(differs(f"header {name}", wanted, came))
        elif not _same_header(name, wanted, came, labels):
            lines.append(differs(f"header {name}", wanted, came))
    return lines


def _same_header(name: str, expected: str, actual: str, labels: Labels) -> bool:
    if name in ("Vary", "Allow") or name.startswith("Access-Control-"):
        return _words(expected) == _words(actual)
    if name == "Link":
        return sorted(expected.split(", ")) == sorted(actual.split(", ")) or labels.matches(expected, actual)
    return same_text(expected, actual, labels)


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def compare_mails(expected: Sequence[Any], actual: Sequence[Any], labels: Labels) -> list[str]:
    """In any order: each is held against the one to the same address."""
    left = list(actual)
    lines = []
    for mail in expected:
        mine = next((each for each in left if each["to"] == mail["to"]), None)
        if mine is None:
            lines.append(f"mail to {mail['to']}: is missing ({mail['kind']})")
            continue
        left.remove(mine)
        lines += compare(mail, mine, labels, f"mail to {mail['to'][0]}")
    return lines + [f"mail to {mail['to']}: is too much ({mail['kind']})" for mail in left]

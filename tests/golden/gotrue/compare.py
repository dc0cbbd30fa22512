"""How an answer is held against a recorded one; README.md says what counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.golden.gotrue.placeholders import PLACEHOLDER, Labels

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
ANYTHING = "<any>"
_URL = re.compile(r"[a-z][a-z0-9.+-]*://")
# Texts of errors that Go's libraries wrote: any other text does.
_OF_GO = re.compile(r"parse request body as JSON|time: |strconv|^invalid (JWT|claim): ")
_TEXTS = ("msg", "message")


def compare(expected: Any, actual: Any, labels: Labels, where: str = "body") -> list[str]:
    """What differs, a line each: where, what was recorded, what came."""
    if expected == ANYTHING:
        return []
    if isinstance(expected, dict):
        return _objects(expected, actual, labels, where)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [_differs(where, expected, actual)]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for at, (a, b) in pairs for line in compare(a, b, labels, f"{where}[{at}]")]
    if isinstance(expected, str):
        return [] if _same_text(expected, actual, labels) else [_differs(where, expected, actual)]
    same = type(expected) is type(actual) and expected == actual
    return [] if same else [_differs(where, expected, actual)]


def _objects(expected: Mapping[str, Any], actual: Any, labels: Labels, where: str) -> list[str]:
    if not isinstance(actual, dict):
        return [_differs(where, expected, actual)]
    lines = [f"{where}.{name}: is missing ({expected[name]!r})" for name in expected if name not in actual]
    lines += [f"{where}.{name}: is too much ({actual[name]!r})" for name in actual if name not in expected]
    for name, value in expected.items():
        if name not in actual or (name in _TEXTS and isinstance(value, str) and _OF_GO.search(value)):
            continue
        lines += compare(value, actual[name], labels, f"{where}.{name}")
    return lines


def _same_text(expected: str, actual: Any, labels: Labels) -> bool:
    whole = PLACEHOLDER.fullmatch(expected)
    if whole is not None and whole.group(1) == "int":
        return isinstance(actual, int) and not isinstance(actual, bool)
    if not isinstance(actual, str):
        return False
    if _URL.match(expected):
        return _same_url(expected, actual, labels)
    return labels.matches(expected, actual)


def _same_url(expected: str, actual: str, labels: Labels) -> bool:
    """Parameters come in any order, in the query and in the fragment."""
    wanted, came = _taken_apart(expected), _taken_apart(actual)
    names = [name for name, _ in wanted]
    return names == [name for name, _ in came] and all(
        labels.matches(there, here) for (_, there), (_, here) in zip(wanted, came, strict=True)
    )


def _taken_apart(url: str) -> list[tuple[str, str]]:
    """What comes before the parameters, and each of these, in an order of our own."""
    parts = urlsplit(url)
    apart = [("", url.partition("?")[0].partition("#")[0])]
    for name, text in (("?", parts.query), ("#", parts.fragment)):
        apart += sorted((name + key, value) for key, value in parse_qsl(text, keep_blank_values=True))
    return apart


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
                lines.append(_differs(f"header {name}", wanted, came))
        elif not _same_header(name, wanted, came, labels):
            lines.append(_differs(f"header {name}", wanted, came))
    return lines


def _same_header(name: str, expected: str, actual: str, labels: Labels) -> bool:
    if name in ("Vary", "Allow") or name.startswith("Access-Control-"):
        return _words(expected) == _words(actual)
    if name == "Link":
        return sorted(expected.split(", ")) == sorted(actual.split(", ")) or labels.matches(expected, actual)
    return _same_text(expected, actual, labels)


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


def _differs(where: str, expected: Any, actual: Any) -> str:
    return f"{where}: recorded {_short(expected)}, came {_short(actual)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"

"""Text from outside: what a field takes, in words too, and what Postgres can keep: every character but NUL."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

_WORDS: dict[str, str] = {}
# More names than that nobody reads through.
_FEW = 12


def pattern(regex: str, words: str) -> str:
    """Returns the regular expression; errors say the words instead, which complete "takes …"."""
    _WORDS[regex] = words
    return regex


def words_of(regex: str) -> str:
    return _WORDS.get(regex, "text of another form, as /openapi.json has it")


STORABLE_PATTERN = pattern(r"^[^\x00]*$", "text without the character NUL")
# One line: none of the characters that some program, mail software among them, takes for the end of one.
LINE_PATTERN = pattern(
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?!\n)$", "one line of text, without control characters"
)


def no_such(what: str, name: str, known: Sequence[str]) -> str:
    """`no queue 'mial'; there are audit, mail` completes "there is …"; of many names only what may be meant."""
    if len(known) <= _FEW:
        return f"no {what} {name!r}; there are {', '.join(known)}"
    meant = get_close_matches(name, known)
    return f"no {what} {name!r}" + (f"; did you mean {' or '.join(meant)}?" if meant else "")


def storable(text: str) -> str:
    """What Postgres cannot keep, NUL and lone surrogates, is replaced."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()

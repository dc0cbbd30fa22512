"""
Text from outside: patterns that can explain themselves, and what Postgres can store, which is every character but NUL.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from hashlib import sha256

_WORDS: dict[str, str] = {}
# Nobody reads a longer list of names.
_FEW = 12


def pattern(regex: str, words: str) -> str:
    """Compiles the regular expression. Its errors show `words` instead of the expression; they complete "takes …"."""
    _WORDS[regex] = words
    return regex


def words_of(regex: str) -> str:
    return _WORDS.get(regex, "text of another form, as /openapi.json has it")


STORABLE_PATTERN = pattern(r"^[^\x00]*$", "text without the character NUL")
# A single line: it has none of the characters that some program (mail software, for one) treats as a line end.
LINE_PATTERN = pattern(
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?!\n)$", "one line of text, without control characters"
)


def no_such(what: str, name: str, known: Sequence[str]) -> str:
    """Completes "there is …": `no queue 'mial'; there are audit, mail`. Of many names only similar ones are listed."""
    if len(known) <= _FEW:
        return f"no {what} {name!r}; there are {', '.join(known)}"
    meant = get_close_matches(name, known)
    return f"no {what} {name!r}" + (f"; did you mean {' or '.join(meant)}?" if meant else "")


def storable(text: str) -> str:
    """Replaces what Postgres cannot store: NUL and lone surrogates."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def pseudonym(text: str) -> str:
    """The same for the same text, and names nobody: for what is counted in Redis, or recorded of strangers."""
    return sha256(text.encode()).hexdigest()[:32]

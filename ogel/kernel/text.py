"""Text from outside that can be stored: Postgres keeps every character but NUL."""

from __future__ import annotations

STORABLE_PATTERN = r"^[^\x00]*$"
# One line: none of the characters that some program, mail software among them, takes for the end of one.
LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?!\n)$"


def storable(text: str) -> str:
    """What Postgres cannot keep, NUL and lone surrogates, is replaced."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()

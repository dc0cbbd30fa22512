"""
Text as the headers of a letter (RFC 5322 §2.2.3, RFC 2047), so that it arrives character for character. Not by the
standard library's email package: depending on its version, folding there decodes what only looks encoded, drops quotes,
and loses or adds spaces.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

from ogel.runtime.mail.address import Address

# RFC 2047 §2: of a line with an encoded word, and of the word itself. RFC 5322 §2.1.1: of any line.
_LINE_CHARACTERS, _WORD_CHARACTERS, _LONGEST_LINE = 76, 75, 998
_BEFORE, _AFTER = "=?utf-8?", "?="
# Longer than any name of our headers, with the colon and the space after it.
_ROOM_FOR_NAME = 16
_FOLD = "\r\n "
# Text that some reader would take for an encoded word, wherever it occurs.
_LOOKS_ENCODED = "=?"
_PLAIN_TEXT = re.compile(
    rf"[!-~]{{1,{_LINE_CHARACTERS - _ROOM_FOR_NAME}}}( [!-~]{{1,{_LINE_CHARACTERS - 1}}})*"
)
_PLAIN_NAME = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+( [\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_PRINTABLE = re.compile(r"[ -~]*")
# RFC 2047 §5 (3): in names of addresses fewer characters may stay unencoded than elsewhere.
_STANDS_FOR_ITSELF = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def plain_header(name: str, value: str) -> str:
    """
    Formats a header on one line without encoding or folding, which would break ids and links. Raises ValueError for
    other values.
    """
    if not _PRINTABLE.fullmatch(value):
        raise ValueError(f"the header {name!r} is not printable ASCII")
    return f"{name}: {value}\r\n"


def text_header(name: str, text: str) -> str:
    """A header such as Subject, on as many lines as it takes; each ends in CRLF. `text` is not empty."""
    start = f"{name}: "
    if _LOOKS_ENCODED not in text and _PLAIN_TEXT.fullmatch(text):
        return _folded(start, text.split(" ")) + "\r\n"
    return start + _FOLD.join(_encoded_words(text, _LINE_CHARACTERS - len(start))) + "\r\n"


def address_header(name: str, address: Address) -> str:
    """A header such as To. The name of an address is one word, one quoted string, or encoded."""
    start = f"{name}: "
    if not address.name:
        return f"{start}{address.spec}\r\n"
    words = list(_phrase(address.name, len(start)))
    return _folded(start, [*words, f"<{address.spec}>"]) + "\r\n"


def _phrase(name: str, indent: int) -> Iterator[str]:
    written = name if _PLAIN_NAME.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    # Not folded, however long: readers that split before they unfold would take a part of it for an address.
    fits = indent + len(written) <= _LONGEST_LINE
    if fits and _LOOKS_ENCODED not in name and _PRINTABLE.fullmatch(name):
        yield written
        return
    yield from _encoded_words(name, _LINE_CHARACTERS - indent)


def _folded(start: str, words: list[str]) -> str:
    """Folds words that are separated by single spaces; a line may break before each space."""
    lines, line = [], start + words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > _LINE_CHARACTERS:
            lines.append(line)
            line = ""
        line += " " + word
    return "\r\n".join([*lines, line])


def _encoded_words(text: str, room: int) -> Iterator[str]:
    """
    Readers drop the white space between them. Each holds whole characters (RFC 2047 §5) and fits a line; the first one
    fits `room`.
    """
    encode = min(_in_q, _in_b, key=lambda each: len(each(text.encode())))
    held = b""
    for character in text:
        more = held + character.encode()
        if held and len(encode(more)) > room:
            yield encode(held)
            more, room = character.encode(), _WORD_CHARACTERS
        held = more
    yield encode(held)


def _in_q(data: bytes) -> str:
    characters = (
        chr(each) if each in _STANDS_FOR_ITSELF else "_" if each == 0x20 else f"={each:02X}" for each in data
    )
    return f"{_BEFORE}q?{''.join(characters)}{_AFTER}"


def _in_b(data: bytes) -> str:
    return f"{_BEFORE}b?{b64encode(data).decode()}{_AFTER}"

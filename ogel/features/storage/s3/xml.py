"""XML as S3 has it: small trees, written and read within bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ogel.features.storage.errors import StorageError

if TYPE_CHECKING:
    from pyexpat import XMLParserType

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
# What XML 1.0 cannot say at all.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DEEPEST = 8
# More than the largest body has: 10,000 parts with a few elements each.
_MOST_ELEMENTS = 100_000
# Larger bodies are read in a thread.
_AT_ONCE_BYTES = 64 * 1024

# An element: its name, and its text or its children. None: it is left out.
Child = tuple[str, "str | int | bool | Sequence[Child] | None"]


def document(name: str, content: str | Sequence[Child], *, namespace: str | None = NAMESPACE) -> bytes:
    written = [_HEAD, f'<{name} xmlns="{namespace}">' if namespace else f"<{name}>"]
    if isinstance(content, str):
        written.append(escape(content))
    else:
        _write(content, written)
    written.append(f"</{name}>")
    return "".join(written).encode()


def _write(children: Sequence[Child], written: list[str]) -> None:
    for name, value in children:
        if value is None:
            continue
        written.append(f"<{name}>")
        if isinstance(value, bool):
            written.append("true" if value else "false")
        elif isinstance(value, (str, int)):
            written.append(escape(_UNSPEAKABLE.sub("\ufffd", str(value)), {"\r": "&#13;"}))
        else:
            _write(value, written)
        written.append(f"</{name}>")


class Element:
    """As it was read: names are without their namespaces, texts without the spaces around."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: list[str] = []
        self.children: list[Element] = []

    @cached_property
    def text(self) -> str:
        return "".join(self.pieces)

    def all(self, name: str) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def value(self, name: str) -> str | None:
        """The text of the first child of that name."""
        return next((child.text.strip() for child in self.children if child.name == name), None)

    def exact(self, name: str) -> str | None:
        """As `value`, with the spaces around."""
        return next((child.text for child in self.children if child.name == name), None)


async def parsed_in_turn(body: bytes, root: str) -> Element:
    """As `parsed`, while others are served."""
    if len(body) > _AT_ONCE_BYTES:
        return await asyncio.to_thread(parsed, body, root)
    return parsed(body, root)


def parsed(body: bytes, root: str) -> Element:
    """Raises StorageError MalformedXML: it is no XML, has another root, is too deep, or declares a document type."""
    # Imported here: few requests have a body of XML.
    from xml.parsers import expat

    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    reader.listen_to(parser)
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise malformed("The body is no well-formed XML.") from error
    found = reader.root
    if found is None or found.name != root:
        raise malformed(f"The body is no <{root}>.")
    return found


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def listen_to(self, parser: XMLParserType) -> None:
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        # Entities are declared in a document type; without one there are none to expand or to fetch.
        parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, name: str, attributes: object) -> None:
        self._count += 1
        if len(self._open) == _DEEPEST or self._count > _MOST_ELEMENTS:
            raise malformed("The body has too many elements, or they stand too deep in each other.")
        element = Element(name.rpartition(" ")[2])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].pieces.append(text)

    def _doctype(self, *_: object) -> None:
        raise malformed("The body declares a document type, which is not taken.")


def malformed(message: str) -> StorageError:
    return StorageError(400, "MalformedXML", message)

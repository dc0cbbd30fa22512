"""Parses mail addresses strictly, so that the address stored, shown and sent is always the same."""

from __future__ import annotations

import re

from msgspec import Struct

from ogel.kernel.text import LINE_PATTERN, storable
from ogel.runtime.domain import InvalidDomain, ascii_domain, ends_in_number

_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<spec>[^<>]*)>")
_QUOTED_NAME = re.compile(r'"(?P<inside>([^"\\]|\\.)*)"')
# RFC 5321 dot-atom, and beyond ASCII what RFC 6531 allows. Quoted local parts and address literals exist on paper. What
# looks like an encoded word (RFC 2047) has no place in an address, and some readers would find another one in it.
_LOCAL = re.compile(r"(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
# One space between words, and no encoded word: whoever reads more into a name finds it in quotes.
_PLAIN_NAME = re.compile(r"(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-]+( [\w!#$%&'*+/=?^`{|}~-]+)*")


class InvalidAddress(ValueError):
    """The message completes "body.to: …"."""


class Address(Struct, frozen=True):
    """`name` is text as people read it, and may be empty; `domain` is as `ascii_domain` has it."""

    name: str
    local: str
    domain: str

    @property
    def spec(self) -> str:
        """`local@domain`."""
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """
        The same for every spelling of this address. No provider gives two people mailboxes that differ only in case.
        """
        return self.spec.lower()

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii()

    def __str__(self) -> str:
        """`Name <local@domain>`, quoted where that is needed; what `parse_address` takes."""
        if not self.name:
            return self.spec
        name = self.name
        if not _PLAIN_NAME.fullmatch(name):
            name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
        return f"{name} <{self.spec}>"


def parse_address(text: str) -> Address:
    """`local@domain` or `Name <local@domain>`. Raises InvalidAddress."""
    if not re.search(LINE_PATTERN, text) or text != storable(text):
        raise InvalidAddress("holds control characters or line breaks")
    text = text.strip(" ")
    named = _NAMED.fullmatch(text)
    name, spec = (_unquoted(named["name"].strip(" ")), named["spec"].strip(" ")) if named else ("", text)
    local, at, domain = spec.rpartition("@")
    if not at:
        raise InvalidAddress("is no address such as name@example.com")
    if not _LOCAL.fullmatch(local) or len(local.encode()) > 64:
        raise InvalidAddress("has no usable part before the @")
    return Address(name, local, _domain(domain))


def _unquoted(name: str) -> str:
    """Returns a name. Without quotes it is taken as it is, whatever the syntax of mail would make of it."""
    if not name.startswith('"'):
        return name
    quoted = _QUOTED_NAME.fullmatch(name)
    if quoted is None:
        raise InvalidAddress("has a name that begins with a quote and does not end with it")
    return re.sub(r"\\(.)", r"\1", quoted["inside"])


def _domain(text: str) -> str:
    try:
        domain = ascii_domain(text)
    except InvalidDomain as error:
        raise InvalidAddress(f"has no usable domain after the @: it {error}") from error
    labels = domain.split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidAddress("has no usable domain after the @")
    if ends_in_number(domain):
        raise InvalidAddress("names an IP address where a domain belongs")
    return domain

"""Addresses of mail: taken apart strictly, so that what is stored, shown and sent is one and the same."""

from __future__ import annotations

import re

from msgspec import Struct

from ogel.kernel.text import LINE_PATTERN
from ogel.runtime.domain import InvalidDomain, ascii_domain, ends_in_number

_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<spec>[^<>]*)>")
# RFC 5321 dot-atom, and beyond ASCII what RFC 6531 allows. Quoted local parts and address literals exist on paper.
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_PLAIN_NAME = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*")


class InvalidAddress(ValueError):
    """The message completes "body.to: …"."""


class Address(Struct, frozen=True):
    """`name` may be empty; `domain` is as `ascii_domain` has it."""

    name: str
    local: str
    domain: str

    @property
    def spec(self) -> str:
        """`local@domain`."""
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """The same for every way to write this address: nobody gives two people mailboxes that differ in case."""
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
    if not re.search(LINE_PATTERN, text):
        raise InvalidAddress("holds control characters or line breaks")
    text = text.strip()
    named = _NAMED.fullmatch(text)
    name, spec = (_unquoted(named["name"].strip()), named["spec"].strip()) if named else ("", text)
    local, at, domain = spec.rpartition("@")
    if not at:
        raise InvalidAddress("is no address such as name@example.com")
    if not _LOCAL.fullmatch(local) or len(local.encode()) > 64:
        raise InvalidAddress("has no usable part before the @")
    return Address(name, local, _domain(domain))


def _unquoted(name: str) -> str:
    if len(name) >= 2 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1]).strip()
    return name


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

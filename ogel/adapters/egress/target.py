"""Parses a URL once, strictly, so that the address checked and the address connected to cannot differ."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, cast
from urllib.parse import quote, urlsplit

from msgspec import Struct

from ogel.runtime.domain import InvalidDomain, ascii_domain, ends_in_number
from ogel.runtime.egress import InvalidUrl

MAX_URL_LENGTH = 2048

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", re.ASCII)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
# RFC 3986 §3.3 and §3.4, and `%` so that what is already encoded stays as it is.
_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~%"
_QUERY_CHARACTERS = _PATH_CHARACTERS + "?[]"
# Not printable, and letters of names that cannot be written without them: the joiner and the non-joiner.
_JOINERS = str.maketrans("", "", "\u200c\u200d")


class RequestTarget(Struct, frozen=True):
    """
    host     as `ascii_domain` has it; an IPv6 address stands without brackets.
    path     the request target: path and query, percent-encoded, never empty.
    address  the address itself when the URL spells one, however it is spelled; None for a name.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    address: str | None

    @property
    def authority(self) -> str:
        """Returns the value of the Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> RequestTarget:
    """Raises InvalidUrl. Looks nothing up."""
    if len(url) > MAX_URL_LENGTH:
        raise InvalidUrl(f"the URL is longer than {MAX_URL_LENGTH} characters")
    # urlsplit drops tabs and newlines, and browsers take a backslash for a slash: two parsers, two hosts.
    if not url.translate(_JOINERS).isprintable() or " " in url or "\\" in url:
        raise InvalidUrl("the URL holds spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidUrl("the URL cannot be read") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidUrl("the URL must begin with http:// or https://")
    scheme = cast(Literal["http", "https"], parts.scheme)
    host, port = _host_and_port(parts.netloc, _DEFAULT_PORTS[scheme])
    host, address = _host(host)
    path = quote(parts.path, safe=_PATH_CHARACTERS) or "/"
    if parts.query:
        path += "?" + quote(parts.query, safe=_QUERY_CHARACTERS)
    return RequestTarget(scheme, host, port, path, address)


def _host_and_port(netloc: str, default_port: int) -> tuple[str, int]:
    if "@" in netloc:
        raise InvalidUrl("the URL must not carry a user name or password")
    match = _HOST_AND_PORT.fullmatch(netloc)
    if match is None or not match[1]:
        raise InvalidUrl("the URL has no valid host")
    port = int(match[2]) if match[2] else default_port
    if not 1 <= port <= 65535:
        raise InvalidUrl("the port must be between 1 and 65535")
    return match[1], port


def _host(text: str) -> tuple[str, str | None]:
    """Returns the normalized host, and its address if it is one."""
    # `%` would start a zone id (RFC 6874) or hide characters from the checks below.
    if "%" in text:
        raise InvalidUrl("the host must not contain %")
    if text.startswith("["):
        try:
            address = str(IPv6Address(text[1:-1]))
        except AddressValueError as error:
            raise InvalidUrl("the host is not a valid IPv6 address") from error
        return address, address
    try:
        name = ascii_domain(text)
    except InvalidDomain as error:
        raise InvalidUrl(f"the host name {error}") from error
    # After the mapping, because that turns lookalikes of digits into digits.
    if ends_in_number(name):
        address = str(_spelled_ipv4(name))
        return address, address
    return name, None


def _spelled_ipv4(name: str) -> IPv4Address:
    """Parses as inet_aton does: 1 to 4 parts, decimal, 0octal or 0xhex, the last one filling the rest."""
    parts = name.split(".")
    if len(parts) > 4:
        raise InvalidUrl("the host is not a valid IPv4 address")
    try:
        *leading, last = [_part(part) for part in parts]
    except ValueError as error:
        raise InvalidUrl("the host is not a valid IPv4 address") from error
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        raise InvalidUrl("the host is not a valid IPv4 address")
    value = last
    for position, number in enumerate(leading):
        value |= number << (24 - 8 * position)
    return IPv4Address(value)


def _part(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)

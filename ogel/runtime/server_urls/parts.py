"""Takes a server's URL apart so that no part of a password is mistaken for a host, path or option."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self
from urllib.parse import quote, unquote, unquote_to_bytes

from ogel.runtime.domain import InvalidDomain, ascii_domain

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}")
_PLACE = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9.]+)?)\]|(?P<name>[^\[\]:@]*))(?::(?P<port>[0-9]*))?"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNESCAPED = "in its user name or password @, /, ?, # and % are written %40, %2F, %3F, %23 and %25"


class BadUrl(ValueError):
    """Its text completes "…, but" or ": " and quotes nothing that may be a part of a secret."""


class Cleaned(NamedTuple):
    """A URL as our own client takes it; `ignored` are the parts that mean nothing here, as people can find them."""

    url: str
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """
    user, password   percent-encoded; None where there is none.
    place            the hosts and ports as they stand; several are separated by commas.
    path             with its slash, or empty.
    options          of the query, in order: decoded names, and values as they stand.
    """

    scheme: str
    user: str | None
    password: str | None = field(repr=False)
    place: str
    path: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str, free: Iterable[str] = ()) -> Self:
        """
        Raises BadUrl. What stands before the last @ of the authority is the login, whatever characters it has; an @
        behind the authority tells that the login holds a slash or the like. Options named in `free` may have one.
        """
        scheme, found, rest = text.partition("://")
        if not found or not _SCHEME.fullmatch(scheme):
            raise BadUrl("it is no URL")
        authority = re.match(r"[^/?#]*", rest)
        assert authority is not None
        login, at, place = authority[0].rpartition("@")
        tail = rest[authority.end() :]
        path, _, query = tail.partition("?")
        options = tuple(_option(each) for each in query.split("&") if each)
        if (
            "#" in tail
            or "@" in path
            or any("@" in name + value for name, value in options if name not in free)
        ):
            raise BadUrl(_UNESCAPED)
        if any(character.isspace() or not character.isprintable() for character in place + tail):
            raise BadUrl("it holds a space or a line break")
        if _STRAY_PERCENT.search(place + tail):
            raise BadUrl("a % of it is not followed by two hexadecimal digits; by itself it is written %25")
        place = ",".join(map(_ascii_place, place.split(",")))
        _check_place(place)
        # libpq takes `host=` from elsewhere, and the proxies that connect for it take ASCII only.
        if not "".join(value for name, value in options if name == "host").isascii():
            raise BadUrl("its option host holds other letters than ASCII's")
        for name, _ in options:
            if not _NAME.fullmatch(name):
                raise BadUrl("it has an option that is none, as name=value")
        user, colon, password = login.partition(":")
        return cls(
            scheme.lower(),
            _encoded(user) if at else None,
            _encoded(password) if at and colon else None,
            place,
            path,
            options,
        )

    def __str__(self) -> str:
        login = "" if self.user is None else self.user
        login += "" if self.password is None else f":{self.password}"
        at = "" if self.user is None else "@"
        query = "&".join(f"{quote(name, safe='')}={value}" for name, value in self.options)
        return f"{self.scheme}://{login}{at}{self.place}{self.path}{'?' if query else ''}{query}"

    @property
    def places(self) -> list[tuple[str, int | None]]:
        """Returns hosts, IPv6 addresses without brackets, and their ports."""
        found = []
        for each in self.place.split(","):
            parts = _PLACE.fullmatch(each)
            assert parts is not None  # `parse` has checked it
            found.append((parts["v6"] or parts["name"] or "", int(parts["port"]) if parts["port"] else None))
        return found

    def with_password(self, password: str) -> Self:
        return replace(self, user=self.user or "", password=_encoded_plain(password))


def decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def names(*lines: str) -> tuple[str, ...]:
    """Splits words at spaces, so that tables of names are easy to read."""
    return tuple(" ".join(lines).split())


Check = Callable[[str], bool]


def anything(value: str) -> bool:
    return True


def one_of(*choices: str) -> Check:
    return lambda value: value in choices


def number(least: int, most: int) -> Check:
    return lambda value: value.isascii() and value.isdigit() and least <= int(value[:9]) <= most


def checked_value(name: str, value: str, checks: Mapping[str, Check]) -> None:
    """Raises BadUrl. The value is not quoted, since that of `password=` is a secret."""
    if not checks[name](unquote(value)):
        raise BadUrl(f"its option {name} cannot have this value")


def unknown_option(name: str) -> BadUrl:
    return BadUrl(f"it has the option {name!r}, which is not known here")


def _option(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return unquote(name), value


def _ascii_place(place: str) -> str:
    """
    Encodes `host[:port]`, percent-encoded or not, as ASCII. It is done here, once: every client that gets the host
    would do it by a rule of its own, many by that of 2003.
    """
    host, colon, port = place.partition(":")
    name = unquote(host)
    if name.isascii() or name.startswith("/"):
        return place
    try:
        return f"{ascii_domain(name)}{colon}{port}"
    except InvalidDomain:
        raise BadUrl("its host is no name that there can be") from None


def _check_place(place: str) -> None:
    for each in place.split(","):
        parts = _PLACE.fullmatch(each)
        if parts is None or (parts["port"] and not 0 < int(parts["port"][:9]) < 65536):
            raise BadUrl("its host or port cannot be read")


def _encoded(text: str) -> str:
    """Percent-encodes text. Existing escapes stay; a stray % and characters with a meaning in URLs are encoded."""
    return quote(unquote_to_bytes(text), safe="")


def _encoded_plain(text: str) -> str:
    return quote(text, safe="")

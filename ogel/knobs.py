"""The parts a setting is declared with: its names, what it takes, and the parser that holds a value to that."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self
from urllib.parse import quote

from ogel.kernel.errors import ConfigError
from ogel.kernel.quantities import quantity
from ogel.runtime.domain import ascii_domain
from ogel.runtime.network.server import NamedServer
from ogel.runtime.rates.policy import quotas_of
from ogel.runtime.server_urls.others import clean_endpoint
from ogel.runtime.server_urls.parts import BadUrl, Cleaned

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
QUOTES = ('"', "'", "\N{LEFT DOUBLE QUOTATION MARK}", "`")
_COUNTS = ("things", "port")
_LARGE = 10_000
_ORIGIN = re.compile(r"(https?)://((?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?")
_PORTS = {"http": "80", "https": "443"}
_WORD = re.compile(r"[\x21-\x7e]{1,4096}")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_REAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Takes:
    """
    words    complete "it takes …".
    parse    raises ValueError for anything else; the text of a BadUrl is shown.
    ignored  the parts of a value that mean nothing here, such as "option pgbouncer"; asked only of what can be parsed.
    unit     what a number counts: seconds, days, bytes, MiB, "a part of the whole", or things; or it is a port.
    """

    words: str
    parse: Callable[[str], Any]
    ignored: Callable[[str], Sequence[str]] = lambda value: ()
    unit: str = "things"


@dataclass(frozen=True, slots=True)
class Knob:
    """
    `name` is the one to recommend, `names` are all that count, in order of preference. `empty` is what an empty
    variable stands for where the default depends on the mode, so that nothing is a choice; None: it counts as not set.
    """

    name: str
    names: tuple[str, ...]
    takes: Takes
    meaning: str
    secret: bool = False
    empty: Any = None

    def parsed(self, name: str, value: str) -> Any:
        """Raises ConfigError: the variable, what it got (never of a secret), what it takes."""
        try:
            return self.takes.parse(value.strip())
        except ValueError as error:
            why = f": {error}" if isinstance(error, BadUrl) else ""
            raise ConfigError(f"{name} got {self._shown(value)}{why}; it takes {self.takes.words}") from None

    def _shown(self, value: str) -> str:
        """Of what was perhaps meant for another variable neither: a URL may hold a password."""
        stripped = value.strip()
        oddity = f", {odd}" if (odd := oddity_of(stripped)) else ""
        if self.secret or "@" in stripped or "://" in stripped:
            return f"{len(stripped)} characters (hidden){oddity}"
        return repr(value[:200]) + oddity


def oddity_of(value: str) -> str | None:
    """What tells that some file or panel was read otherwise than whoever wrote it thought."""
    if len(value) > 1 and value[0] in QUOTES:
        return "in quotes that are a part of it"
    if "${" in value or "{{" in value:
        return "with a reference in it that nothing has replaced"
    if " #" in value:
        return "with a comment behind it that is a part of it"
    return None


def knob(
    name: str,
    *others: str,
    before: str | None = None,
    takes: Takes,
    default: Any,
    meaning: str,
    secret: bool = False,
    empty: Any = None,
) -> Any:
    """A field of settings. `others` count when `name` is not set; `before` counts even when it is."""
    names = (name, *others) if before is None else (before, name, *others)
    return dataclasses.field(
        default=default, metadata={"knob": Knob(name, names, takes, meaning, secret, empty)}
    )


class Section:
    """Of the settings: what one feature can be told, as a frozen dataclass of knobs."""

    __slots__ = ()
    # Fields that come in several variables.
    COMPOSED: ClassVar[Sequence[str]] = ()

    @classmethod
    def composed(cls, given: Mapping[str, str], sources: Mapping[str, str | None]) -> Mapping[str, Composed]:
        """The values of these, where they are given. `sources`: what gave the fields. Raises ConfigError."""
        return {}

    def incomplete(self, known: Collection[str], names: Mapping[str, str]) -> Sequence[str]:
        """
        A line for each choice that needs a field which is not among the `known` ones, those that are set or at least
        tried to be; `names` are the fields' variables.
        """
        return ()

    def for_one_machine(self, port: int) -> Self:
        """What is not set is as it is right for embedded servers, and one process at `port`."""
        return self

    def servers(self) -> Sequence[NamedServer]:
        """Those outside this process that these settings name; the `field` of each is one of these."""
        return ()


class Composed(NamedTuple):
    """The value of a field, and the variable to show as where it is from."""

    value: Any
    source: str


def piece(given: Mapping[str, str], name: str, takes: Takes, default: object = None) -> Any:
    """Of an address that comes in several variables. Raises ConfigError."""
    return Knob(name, (name,), takes, "").parsed(name, given[name]) if name in given else default


def place(host: str) -> str:
    """As URLs have it. A socket directory is a host, too; percent-encoded, libpq takes it for one."""
    return f"[{host}]" if ":" in host else quote(host, safe="")


def needs(choice: str, fields: Sequence[str], known: Collection[str], names: Mapping[str, str]) -> list[str]:
    """See Section.incomplete."""
    missing = [names[field] for field in fields if field not in known]
    return [f"{choice}, which needs {', '.join(missing)} too"] if missing else []


def text(words: str) -> Takes:
    return Takes(words, str)


def word(words: str) -> Takes:
    """What is sent in the head of a request: ASCII, and nothing that separates."""
    return Takes(f"{words}, as one word", lambda value: _matching(_WORD, value))


def long_text(least: int) -> Takes:
    def parse(value: str) -> str:
        if len(value) < least:
            raise ValueError
        return value

    return Takes(f"{least} characters or more", parse)


def long_texts(least: int) -> Takes:
    one = long_text(least)

    def parse(value: str) -> tuple[str, ...]:
        return tuple(one.parse(word) for word in _words(value))

    return Takes(f"words of {one.words}, without commas in them, comma separated", parse)


def path(words: str) -> Takes:
    return Takes(words, Path)


def whole(least: int, most: int, unit: str = "things") -> Takes:
    return Takes(
        _range(least, most, unit),
        lambda value: _within(int(_matching(_WHOLE, value)), least, most),
        unit=unit,
    )


def real(least: float, most: float, unit: str) -> Takes:
    """Decimal digits only: float() would also take `nan`, `1e3` and `1_000`."""
    return Takes(
        _range(least, most, unit),
        lambda value: _within(float(_matching(_REAL, value)), least, most),
        unit=unit,
    )


def reals(least: float, most: float, unit: str, most_of_them: int) -> Takes:
    one = real(least, most, unit)

    def parse(value: str) -> tuple[float, ...]:
        words = _words(value)
        if not 1 <= len(words) <= most_of_them:
            raise ValueError
        return tuple(one.parse(word) for word in words)

    return Takes(f"1 to {most_of_them} numbers of {one.words}, comma separated", parse, unit=unit)


def flag() -> Takes:
    def parse(value: str) -> bool:
        if value.lower() not in _FLAGS:
            raise ValueError
        return _FLAGS[value.lower()]

    return Takes("true or false", parse)


def choice(*choices: str) -> Takes:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError
        return value.lower()

    return Takes(f"{', '.join(choices[:-1])} or {choices[-1]}", parse)


def words(what: str) -> Takes:
    return Takes(f"{what}, comma separated", _words)


def choices(*known: str) -> Takes:
    def parse(value: str) -> tuple[str, ...]:
        chosen = tuple(word.lower() for word in _words(value))
        if not set(chosen) <= set(known) or len(set(chosen)) < len(chosen):
            raise ValueError
        return chosen

    return Takes(f"any of {', '.join(known)}, each once, comma separated", parse)


def assignments(words: str) -> Takes:
    """Pairs, as `name=value; name=value`; a name that stands there twice, or another sign between two, is wrong."""

    def parse(value: str) -> tuple[tuple[str, str], ...]:
        pairs = [each.partition("=") for each in value.split(";") if each.strip()]
        found = tuple((name.strip(), what.strip()) for name, _, what in pairs)
        if not all(name and what and "=" not in what for name, what in found) or len(dict(found)) < len(
            found
        ):
            raise ValueError
        return found

    return Takes(words, parse)


def networks() -> Takes:
    return Takes("networks such as 10.0.0.0/8, comma separated", _networks)


def origins() -> Takes:
    """As browsers name them, without the port that goes without saying."""
    shape = "origins such as https://app.example.com or https://*.example.com, comma separated, or * for all"
    return Takes(shape, lambda value: tuple(dict.fromkeys(_origin(word) for word in _words(value))))


def quotas() -> Takes:
    shape = "requests/window, such as 1000/10s or 100/s, 5000/1h (s, m, h, d; a day at most), or `off`"
    return Takes(shape, quotas_of)


def server_url(clean: Callable[[str], Cleaned], shape: str) -> Takes:
    return Takes(shape, lambda value: clean(value).url, ignored=lambda value: clean(value).ignored)


def endpoint(shape: str = "http(s)://host[:port]") -> Takes:
    return server_url(clean_endpoint, shape)


def host_name(words: str = "a host name") -> Takes:
    return Takes(words, _host)


def host_or_socket(words: str) -> Takes:
    """libpq takes a socket's directory for a host, and several hosts, separated by commas."""

    def parse(value: str) -> str:
        return value if value.startswith("/") else ",".join(map(_host, value.split(",")))

    return Takes(words, parse)


def _host(value: str) -> str:
    """What was meant for another variable, and holds a login or a port, is told so."""
    if "@" in value or "://" in value:
        raise BadUrl("it is no host, but a URL")
    if value.count(":") == 1:
        raise BadUrl("it holds a port, which has a variable of its own")
    return value if _is_address(value) else ascii_domain(value)


def _range(least: float, most: float, unit: str) -> str:
    """As it is typed, and a large one as it is said, too."""
    counted = "" if unit in _COUNTS else f"{unit}, "
    said = f" ({quantity(most, unit)})" if unit in ("seconds", "bytes") and most >= _LARGE else ""
    return f"{counted}{least:.12g} to {most if isinstance(most, int) else f'{most:.12g}'}{said}"


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _within(number: Any, least: float, most: float) -> Any:
    if not least <= number <= most:
        raise ValueError
    return number


def _matching(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError
    return value


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _origin(value: str) -> str:
    if value == "*":
        return value
    found = _ORIGIN.fullmatch(value.lower())
    if found is None:
        raise ValueError
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word, strict=False) for word in _words(value))

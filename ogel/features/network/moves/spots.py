"""Public names of Railway in the values of variables: where they stand, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from ogel.runtime.network.place import HOPS

# A name is not a part of a longer one, and a port has no more digits.
_NAME = r"(?<![A-Za-z0-9.-])(?P<host>{})(?![A-Za-z0-9-]|\.[A-Za-z0-9])(?::(?P<port>[0-9]{{1,5}})(?![0-9]))?"
# What stands between a scheme and a host: nothing, a login, or the hosts before it.
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<between>(?:[^\s\"'<>]*[@,])?)$")


class Spot(Struct, frozen=True):
    """
    start, end  of host and port in the text; `begin` is where the scheme begins, if there is one.
    port        None: none stands there.
    alone       nothing else stands in the text.
    """

    start: int
    end: int
    host: str
    port: int | None
    scheme: str | None
    begin: int
    alone: bool

    @property
    def address(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


def spots(text: str, others: Collection[str] = ()) -> Sequence[Spot]:
    """`others` are public names that only the project knows: domains of one's own. Lower case."""
    names = "|".join([HOPS, *(re.escape(each) for each in sorted(others, key=len, reverse=True))])
    found = []
    for match in re.finditer(_NAME.format(names), text, re.IGNORECASE):
        host = match["host"].lower()
        before = _scheme_before(text[: match.start()])
        port = int(match["port"]) if match["port"] else None
        alone = match.span() == (0, len(text))
        scheme, begin = (None, match.start()) if before is None else before
        found.append(Spot(match.start(), match.end(), host, port, scheme, begin, alone))
    return found


def _scheme_before(text: str) -> tuple[str, int] | None:
    at = text.rfind("://")
    if at < 0:
        return None
    begin = at
    while begin and (text[begin - 1].isalnum() or text[begin - 1] in "+.-"):
        begin -= 1
    found = _SCHEME.fullmatch(text, begin)
    return None if found is None else (found["scheme"].lower(), begin)

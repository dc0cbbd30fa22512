"""Where people may be sent back to: the site, and what OGEL_REDIRECT_URLS lists. Everything else leads to the site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

# No spaces, control characters or backslashes, which browsers read in ways of their own (URL standard, §4.4).
_CLEAN = re.compile(r"[^\s\\\x00-\x20\x7f\"<>`]{1,2048}")
_SCHEME = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
_URL = re.compile(_SCHEME + r"(?://(?P<place>[^/?#]*))?(?P<rest>[^#]*)(?:#.*)?")
# A question mark of a glob stands for a character, in a host, too.
_GLOB = re.compile(_SCHEME + r"(?://(?P<place>[^/#]*))?(?P<rest>[^#]*)(?:#.*)?")
_WEB = ("http", "https")
# A name or an address, and a port: nobody before an `@`, nothing escaped.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
# Browsers leave the folder that a glob names by these.
_DOTS = re.compile(r"(^|/)(\.|%2e){1,2}(/|\?|$)", re.IGNORECASE)
# A page of these schemes runs with the rights of whatever page is open, or comes from nowhere.
_NEVER = ("javascript", "data", "vbscript", "blob", "file", "filesystem", "about", "view-source")
_PIECES = re.compile(r"\*\*|\*|\?|[^*?]+")
_STANDS_FOR = {"**": ".*", "*": "[^./]*", "?": "[^./]"}


class _Url(NamedTuple):
    """`place` is user, host and port, None where no `//` stands; `rest` is path and query."""

    scheme: str
    place: str | None
    rest: str


class Redirects:
    """
    `listed` are URLs, or globs as Supabase's: `*` and `?` stand for what has no dot or slash in it, `**` for anything.
    Scheme and host of a URL are compared with those of a glob, so that no path can pretend to be a host.
    """

    def __init__(self, site_url: str, listed: Sequence[str]) -> None:
        self._site_url = site_url
        site = _taken_apart(site_url)
        self._site = None if site is None else (site.scheme, site.place)
        self._listed = [glob for each in listed if (glob := _taken_apart(each, _GLOB)) is not None]

    def allowed(self, url: str | None) -> str:
        """Returns the URL, or that of the site in its place."""
        return url if url and self.is_allowed(url) else self._site_url

    def is_allowed(self, url: str) -> bool:
        parts = _taken_apart(url)
        if parts is None or parts.scheme in _NEVER or _DOTS.search(parts.rest.partition("?")[0]):
            return False
        if parts.scheme in _WEB and not _HOST.fullmatch(parts.place or ""):
            return False
        if self._site == (parts.scheme, parts.place):
            return True
        return any(_fits(glob, parts) for glob in self._listed)


def problem_of(listed: str) -> str | None:
    """Returns why a setting lists nothing by it; None: it does."""
    parts = _taken_apart(listed, _GLOB)
    if parts is None:
        return "is no URL"
    if parts.scheme in _NEVER or (parts.scheme in _WEB and not parts.place):
        return "names nowhere to go"
    return None


def _taken_apart(url: str, shape: re.Pattern[str] = _URL) -> _Url | None:
    found = shape.fullmatch(url) if _CLEAN.fullmatch(url) else None
    if found is None:
        return None
    place = found["place"]
    return _Url(found["scheme"].lower(), None if place is None else place.lower(), found["rest"])


def _fits(glob: _Url, url: _Url) -> bool:
    if glob.scheme != url.scheme or (glob.place is None) != (url.place is None):
        return False
    if glob.place is not None and url.place is not None:
        if not _pattern(glob.place).fullmatch(url.place):
            return False
        if glob.place.endswith("**") and not glob.rest:
            return True
    return _pattern(glob.rest).fullmatch(url.rest) is not None


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    pieces = (_STANDS_FOR.get(piece) or re.escape(piece) for piece in _PIECES.findall(glob))
    return re.compile("".join(pieces), re.DOTALL)

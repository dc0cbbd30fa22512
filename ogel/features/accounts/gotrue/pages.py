"""Lists by page, as GoTrue's admin routes have them: `page`, `per_page`, and what is beside the list in headers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.runtime.http.input import Pairs

_PER_PAGE, _MOST_PER_PAGE = 50, 1000
_MOST_DIGITS = 9


class PageWanted(Struct, frozen=True):
    """`parameters` are all of the request's, the first of each name. Page 0 is the first, as is page 1."""

    path: str
    parameters: Mapping[str, str]
    page: int
    per_page: int

    @property
    def offset(self) -> int:
        return max(self.page - 1, 0) * self.per_page

    def headers(self, total: int) -> dict[str, str]:
        last = -(-total // self.per_page)
        links = [self._link(self.page + 1, "next")] if self.page < last else []
        return {"X-Total-Count": str(total), "Link": ", ".join([*links, self._link(last, "last")])}

    def _link(self, page: int, rel: str) -> str:
        parameters = sorted({**self.parameters, "page": str(page)}.items())
        return f'<{self.path}?{urlencode(parameters)}>; rel="{rel}"'


def page_wanted(path: str, pairs: Pairs) -> PageWanted:
    """`path` is without prefix, as links have it there. Raises AccountError."""
    parameters = dict(reversed(list(pairs)))
    page, per_page = (
        _number(parameters.get(name), or_else) for name, or_else in (("page", 1), ("per_page", 0))
    )
    return PageWanted(path, parameters, page, min(per_page or _PER_PAGE, _MOST_PER_PAGE))


def _number(text: str | None, or_else: int) -> int:
    """Clients send an empty parameter for one that they were not given."""
    if not text:
        return or_else
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise AccountError(
            400, "validation_failed", f'Bad Pagination Parameters: "{text[:100]}" is no number of a page'
        )
    return int(text)

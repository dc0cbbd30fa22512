"""What requests say of the links that are mailed for them, and where people are sent back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from ogel.features.accounts.codes.flows import challenge_of
from ogel.features.accounts.codes.links import LinkOptions, accepted_languages
from ogel.features.accounts.codes.redirects import Redirects
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import Guarded
from ogel.kernel.errors import OgelError
from ogel.runtime.http.route import Call, Redirect

# OAuth's words for what went wrong (RFC 6749 §4.1.2.1), by status; those of GoTrue where it has others.
_OAUTH_ERRORS: Mapping[int, str] = {
    400: "invalid_request",
    401: "unauthorized_client",
    403: "access_denied",
    422: "invalid_request",
    503: "temporarily_unavailable",
}


class RedirectQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    redirect_to: str | None = None


class Challenged(Guarded, frozen=True, kw_only=True):
    """Base of bodies of clients that may want a code to exchange (PKCE)."""

    code_challenge: str | None = None
    code_challenge_method: str | None = None


class Links:
    def __init__(self, redirects: Redirects) -> None:
        self._redirects = redirects

    def options(self, call: Call[Any, Any], body: Challenged | None = None) -> LinkOptions:
        """Raises AccountError for a challenge that is none."""
        challenge = None if body is None else challenge_of(body.code_challenge, body.code_challenge_method)
        languages = accepted_languages(call.header("accept-language"))
        return LinkOptions(self.redirect_to(call, call.query.redirect_to), challenge, languages)

    def redirect_to(self, call: Call[Any, Any], asked: str | None) -> str:
        """What is asked for, or the page that asks; the site where neither is allowed."""
        for url in (asked, call.header("redirect_to"), call.header("referer")):
            if url:
                return self._redirects.allowed(url)
        return self._redirects.allowed(None)


def with_query(url: str, fields: Mapping[str, Any]) -> str:
    before, mark, fragment = url.partition("#")
    return f"{before}{'&' if '?' in before else '?'}{urlencode(fields)}{mark}{fragment}"


def with_fragment(url: str, fields: Mapping[str, Any]) -> str:
    """Behind a fragment that is there already, as of pages that keep their route in it."""
    return f"{url}{'&' if '#' in url else '#'}{urlencode(fields)}"


def error_redirect(url: str, error: OgelError, *, in_query: bool) -> Redirect:
    """Tells a page what went wrong, in the fragment; pages that expect `?code=` look at the query, too."""
    fields = {
        "error": _OAUTH_ERRORS.get(error.status, "server_error"),
        "error_code": error.code if isinstance(error, AccountError) else "unexpected_failure",
        "error_description": error.message,
    }
    return told_redirect(url, fields, in_query=in_query)


def told_redirect(url: str, fields: Mapping[str, str], *, in_query: bool) -> Redirect:
    told = with_query(url, fields) if in_query else url
    return Redirect(with_fragment(told, {**fields, "sb": ""}), 303)

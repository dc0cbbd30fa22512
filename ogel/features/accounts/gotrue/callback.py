"""GET and POST /callback: where other sites send browsers back to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from ogel.features.accounts.codes.links import accepted_languages
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.browser import Browsers
from ogel.features.accounts.gotrue.links import with_fragment, with_query
from ogel.features.accounts.gotrue.shapes import session_shape
from ogel.features.accounts.oauth.arrivals import Arrivals, Arrived, Awaited, Returned
from ogel.kernel.errors import OgelError
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Form, Redirect, Route

_AUDITED = (
    *("auth.sign_in", "auth.sign_in_failed", "auth.code_sent"),
    *("identity.create", "user.create", "user.update"),
)
# OAuth's words for errors that have one of their own; the others are the server's.
_OAUTH_ERRORS: Mapping[str, str] = {
    "bad_oauth_callback": "invalid_request",
    "bad_oauth_state": "invalid_request",
    "provider_email_needs_verification": "access_denied",
    "signup_disabled": "access_denied",
    "user_banned": "access_denied",
}
# RFC 6749 §4.1.2.1, §A.7
_ERROR = re.compile(r"[a-z_]{1,50}", re.ASCII)
_MAX_DESCRIPTION_CHARACTERS = 300


class CallbackQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    state: str = ""
    code: str = ""
    iss: str | None = None
    error: str = ""
    error_description: str = ""


class CallbackRoutes:
    def __init__(self, arrivals: Arrivals, browsers: Browsers, external_url: str, site_url: str) -> None:
        self._arrivals = arrivals
        self._browsers = browsers
        self._external_url = external_url
        self._site_url = site_url

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "write")
        return [
            Route("GET", "/callback", self._callback, access.audited(*_AUDITED),
                  "Come back from another site", query=CallbackQuery, returns=Redirect, status=302),
            Route("POST", "/callback", self._posted, access,
                  "Come back from another site that answers with a form", body=Form(CallbackQuery),
                  returns=Redirect, status=303),
        ]  # fmt: skip

    async def _posted(self, call: Call[CallbackQuery, Any]) -> Redirect:
        """A form of another site comes without our cookie, the page that it leads to with it."""
        fields = msgspec.to_builtins(call.body)
        return Redirect(f"{self._external_url}/callback?{urlencode(fields)}", 303)

    async def _callback(self, call: Call[Any, CallbackQuery]) -> Redirect:
        state = call.query.state
        try:
            if not state:
                raise _bad_callback("OAuth state parameter missing")
            awaited = await self._arrivals.take(state, self._browsers.secret(call))
        except AccountError as error:
            # Whose sign-in this is, nobody knows.
            return Redirect(with_query(self._site_url, _said(error)), 303)
        to = awaited.flow.redirect_to
        if call.query.error:
            return _told(to, _said_by_provider(call.query))
        try:
            arrived = await self._arrived(call, awaited)
        except OgelError as error:
            return _told(to, _said(error))
        if arrived.issued is None:
            return Redirect(with_query(to, {"code": arrived.code}))
        session = session_shape(arrived.issued)
        session.pop("user")
        return Redirect(with_fragment(to, {**session, **msgspec.to_builtins(arrived.tokens), "sb": ""}))

    async def _arrived(self, call: Call[Any, CallbackQuery], awaited: Awaited) -> Arrived:
        if not call.query.code:
            raise _bad_callback("OAuth callback with missing authorization code missing")
        languages = accepted_languages(call.header("accept-language"))
        returned = Returned(call.query.code, call.query.iss, languages)
        return await self._arrivals.arrive(call.caller, awaited, returned)


def _told(url: str, fields: Mapping[str, str]) -> Redirect:
    """Pages look for errors in the query or the fragment."""
    return Redirect(with_fragment(with_query(url, fields), {**fields, "sb": ""}))


def _said(error: OgelError) -> Mapping[str, str]:
    code = error.code if isinstance(error, AccountError) else "unexpected_failure"
    return {
        "error": _OAUTH_ERRORS.get(code, "server_error"),
        "error_code": code,
        "error_description": error.message,
    }


def _said_by_provider(query: CallbackQuery) -> Mapping[str, str]:
    error = query.error if _ERROR.fullmatch(query.error) else "server_error"
    description = query.error_description[:_MAX_DESCRIPTION_CHARACTERS]
    return {"error": error, **({"error_description": description} if description else {})}


def _bad_callback(message: str) -> AccountError:
    return AccountError(400, "bad_oauth_callback", message)

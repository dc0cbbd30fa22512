"""GET and POST /verify: a code is used, by its link or its digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ogel.features.accounts.codes.code import PKCE_PREFIX, Guess, Purpose
from ogel.features.accounts.codes.email_change import CHANGES
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.codes.verification import Verification
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.evenly import in_even_time
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.link_page import FORM_PATH, link_page
from ogel.features.accounts.gotrue.links import (
    Links,
    error_redirect,
    told_redirect,
    with_fragment,
    with_query,
)
from ogel.features.accounts.gotrue.shapes import Json, session_shape
from ogel.features.accounts.users.address import email_of
from ogel.kernel.errors import OgelError
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Form, Redirect, Reply, Route

# The purposes whose codes each type takes.
_ALL: tuple[Purpose, ...] = ("signup", "invite", "magiclink", "recovery")
_FIRST: tuple[Purpose, ...] = ("signup", "invite")
_AGAIN: tuple[Purpose, ...] = ("magiclink", "recovery")
_PURPOSES: Mapping[str, tuple[Purpose, ...]] = {
    "email": _ALL,
    "signup": _FIRST,
    "invite": _FIRST,
    "magiclink": _AGAIN,
    "recovery": _AGAIN,
    "email_change": CHANGES,
}
_ONE_OF_TWO = "Confirmation link accepted. Please proceed to confirm link sent to the other email"
_AUDITED = ("auth.code_used", "auth.sign_in", "user.update")


class VerifyQuery(Struct, frozen=True, forbid_unknown_fields=True):
    type: str = ""
    token: str = ""
    token_hash: str = ""
    redirect_to: str | None = None


class VerifyBody(Struct, frozen=True):
    type: str = ""
    token: str = ""
    token_hash: str = ""
    email: str = ""
    phone: str = ""


class VerifyRoutes:
    """`by_page`: links show a page, whose button does what they would."""

    def __init__(
        self, codes: CodeService, verification: Verification, links: Links, *, by_page: bool
    ) -> None:
        self._codes = codes
        self._verification = verification
        self._links = links
        self._by_page = by_page

    def routes(self) -> Sequence[Route]:
        access = Access("open", None, "sign_in").audited(*_AUDITED)
        return [
            Route("GET", "/verify", self._open, access, "Follow a link of a mail",
                  query=VerifyQuery, status=303, head=False),
            Route("POST", FORM_PATH, self._press, access, "Go on from the page that a link shows",
                  body=Form(VerifyQuery), status=303),
            Route("POST", "/verify", self._verify, access, "Sign in with a code of a mail",
                  body=OPTIONAL_JSON, returns=dict),
        ]  # fmt: skip

    async def _open(self, call: Call[Any, VerifyQuery]) -> Redirect | Reply:
        query = call.query
        if not self._by_page or not query.type or not (query.token or query.token_hash):
            return await self._follow(call, query)
        fields = {"token": query.token or query.token_hash, "type": query.type}
        if query.redirect_to:
            fields["redirect_to"] = query.redirect_to
        return link_page(fields, call.header("accept-language"))

    async def _press(self, call: Call[VerifyQuery, Any]) -> Redirect:
        return await self._follow(call, call.body)

    async def _follow(self, call: Call[Any, Any], query: VerifyQuery) -> Redirect:
        if not query.type:
            raise _invalid("Verify requires a verification type")
        token = query.token or query.token_hash
        if not token:
            raise _invalid("Verify requires a token or a token hash")
        url = self._links.redirect_to(call, query.redirect_to)
        in_query = token.startswith(PKCE_PREFIX)
        try:
            return await self._followed(call, url, query.type, token, in_query)
        except OgelError as error:
            return error_redirect(url, error, in_query=in_query)

    async def _followed(
        self, call: Call[Any, Any], url: str, type: str, token: str, in_query: bool
    ) -> Redirect:
        if type not in _PURPOSES:
            raise _invalid("Invalid email verification type")
        guess = self._codes.guess_of_link(token, *_PURPOSES[type])
        verified = await self._verification.verify(call.caller, guess, follows_link=True)
        if verified is None:
            raise _expired_link()
        if verified.auth_code is not None:
            return Redirect(with_query(url, {"code": verified.auth_code}), 303)
        if verified.issued is None:
            return told_redirect(url, {"message": _ONE_OF_TWO}, in_query=in_query)
        session = session_shape(verified.issued)
        session.pop("user")
        return Redirect(with_fragment(url, {**session, "sb": "", "type": type}), 303)

    async def _verify(self, call: Call[Any, Any]) -> Json:
        body = read(VerifyBody, call.body)
        if not body.type:
            raise _invalid("Verify requires a verification type")
        if bool(body.token) == bool(body.token_hash):
            raise _invalid("Verify requires either a token or a token hash")
        if body.token_hash:
            if body.email or body.phone:
                raise _invalid("Only the token_hash and type should be provided")
            return await self._by_guess(call, self._of_link(body), _expired_link())
        if bool(body.email) == bool(body.phone):
            raise _invalid("Only an email address or phone number should be provided on verify")
        async with in_even_time():
            return await self._by_guess(call, await self._of_digits(body), _expired())

    def _of_link(self, body: VerifyBody) -> Guess:
        return self._codes.guess_of_link(body.token_hash, *_PURPOSES.get(body.type, ()))

    async def _of_digits(self, body: VerifyBody) -> Guess:
        if body.phone:
            raise _expired()
        return await self._codes.guess(email_of(body.email), body.token, *_PURPOSES.get(body.type, ()))

    async def _by_guess(self, call: Call[Any, Any], guess: Guess, expired: AccountError) -> Json:
        verified = await self._verification.verify(call.caller, guess)
        if verified is None:
            raise expired
        if verified.issued is None:
            return {"code": "200", "msg": _ONE_OF_TWO}
        return session_shape(verified.issued)


def _invalid(message: str) -> AccountError:
    return AccountError(400, "validation_failed", message)


def _expired() -> AccountError:
    return AccountError(403, "otp_expired", "Token has expired or is invalid")


def _expired_link() -> AccountError:
    return AccountError(403, "otp_expired", "Email link is invalid or has expired")

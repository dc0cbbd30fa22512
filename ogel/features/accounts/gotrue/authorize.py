"""GET /authorize and GET /user/identities/authorize: off to another site, to sign in or to add an account there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ogel.features.accounts.codes.flows import challenge_of
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.browser import Browsers
from ogel.features.accounts.gotrue.links import Links
from ogel.features.accounts.oauth.departures import Departure, Departures, Linking
from ogel.runtime.http.access import Access
from ogel.runtime.http.input import Pairs
from ogel.runtime.http.route import Call, Redirect, Reply, Route

# Parameters that are ours; what a client adds besides is the provider's, such as `prompt`.
_OURS = frozenset(
    {
        *("provider", "scopes", "redirect_to", "skip_http_redirect", "invite_token", "apikey"),
        *("client_id", "client_secret", "redirect_uri", "response_type", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "request", "request_uri"),
    }
)


class AuthorizeRoutes:
    def __init__(
        self, departures: Departures, links: Links, browsers: Browsers, manual_linking: bool
    ) -> None:
        self._departures = departures
        self._links = links
        self._browsers = browsers
        self._manual_linking = manual_linking

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/authorize", self._authorize, Access("open", None, "write"),
                  "Sign in with another site", query=Pairs, returns=Redirect, status=302),
            Route("GET", "/user/identities/authorize", self._link, Access("user", None, "write"),
                  "Add an account of another site", query=Pairs, returns=dict),
        ]  # fmt: skip

    async def _authorize(self, call: Call[Any, Pairs]) -> Reply:
        cookie = self._browsers.kept(call)
        url = await self._departures.depart(self._departure(call, cookie.value, None))
        return Reply(Redirect(url), cookies=[cookie])

    async def _link(self, call: Call[Any, Pairs]) -> object:
        """Asked by a script, which the browser lets keep no cookie for another site."""
        if not self._manual_linking:
            raise AccountError(404, "manual_linking_disabled", "Manual linking is disabled")
        who = call.principal
        linking = Linking(UUID(who.id), who.session or "")
        url = await self._departures.depart(self._departure(call, None, linking))
        return {"url": url} if _first(call.query).get("skip_http_redirect") == "true" else Redirect(url)

    def _departure(self, call: Call[Any, Pairs], browser: str | None, linking: Linking | None) -> Departure:
        asked = _first(call.query)
        challenge = challenge_of(asked.get("code_challenge"), asked.get("code_challenge_method"))
        return Departure(
            asked.get("provider", ""),
            self._links.redirect_to(call, asked.get("redirect_to")),
            asked.get("scopes", "").replace(",", " ").split(),
            {name: value for name, value in asked.items() if name not in _OURS},
            challenge,
            browser,
            linking,
        )


def _first(pairs: Pairs) -> Mapping[str, str]:
    """Of what is given twice the first counts, as elsewhere."""
    return dict(reversed(pairs))

"""How the services of sign-in with other sites are wired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.features.accounts.oauth.admitting import Admitting
from ogel.features.accounts.oauth.arrivals import Arrivals
from ogel.features.accounts.oauth.calls import ProviderCalls
from ogel.features.accounts.oauth.departures import Departures
from ogel.features.accounts.oauth.id_tokens import IdTokenSignIn
from ogel.features.accounts.oauth.matching import Matching, Rules
from ogel.features.accounts.oauth.store import OAuthStore
from ogel.features.accounts.providers import Providers

if TYPE_CHECKING:
    from ogel.features.accounts.services import Accounts


class OAuth:
    def __init__(self, accounts: Accounts) -> None:
        core, settings = accounts.core, accounts.settings
        database, flows, sessions = core.database, accounts.flows, accounts.sessions
        self.providers = Providers(settings, core.outgoing)
        callback_url = f"{settings.external_url}/callback"
        calls = ProviderCalls(database, core.audit)
        admitting = Admitting(database, accounts.codes.service)
        store = OAuthStore()
        matching = Matching(
            accounts.users,
            accounts.user_store,
            store,
            core.audit,
            sessions,
            Rules(signup=settings.signup, confirms=accounts.confirms),
        )
        self.departures = Departures(database, store, self.providers, flows, calls, callback_url)
        self.arrivals = Arrivals(
            database,
            store,
            self.providers,
            flows,
            calls,
            matching,
            admitting,
            sessions,
            core.vault,
            callback_url,
        )
        self.id_tokens = IdTokenSignIn(
            self.providers, calls, matching, admitting, sessions, settings.site_url
        )

"""How the parts of sign-in with other sites fit together."""

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
    from ogel.features.accounts.feature import AccountsFeature
    from ogel.features.accounts.settings import AccountsSettings
    from ogel.runtime.core import Core


class OAuth:
    """Made of the parts of accounts that it stands on; `callback_url` is what operators register with a provider."""

    def __init__(self, core: Core, settings: AccountsSettings, accounts: AccountsFeature) -> None:
        database, flows, sessions = core.database, accounts.flows, accounts.sessions
        self.providers = Providers(settings, core.outgoing)
        callback_url = f"{settings.external_url}/callback"
        calls = ProviderCalls(database, core.audit)
        admitting = Admitting(database, accounts.codes)
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

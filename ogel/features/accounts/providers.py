"""The sites that people may sign in with here, and what is said of those that they may not."""

from __future__ import annotations

from ogel.adapters.identity_providers.github import GitHub
from ogel.adapters.identity_providers.oidc import OpenIdProvider
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.oauth.known import ISSUERS, KNOWN
from ogel.features.accounts.settings import AccountsSettings
from ogel.runtime.identity_provider import IdentityProvider, IdTokenReader
from ogel.runtime.outgoing import Outgoing

GITHUB, GOOGLE = "github", "google"
# Some of its tokens leave the scheme out.
_GOOGLE_ALSO = ("accounts.google.com",)
_SHOWN_CHARACTERS = 200


class Providers:
    def __init__(self, settings: AccountsSettings, outgoing: Outgoing) -> None:
        self._readers: dict[str, IdTokenReader] = {
            each.name: OpenIdProvider(outgoing, each.issuer, each.client_ids, each.secret)
            for each in settings.oidc
        }
        self._all: dict[str, IdentityProvider] = {**self._readers}
        if settings.google_client_ids:
            google = OpenIdProvider(
                outgoing, ISSUERS[GOOGLE], settings.google_client_ids, settings.google_secret, _GOOGLE_ALSO
            )
            self._readers[GOOGLE] = google
            # Without a secret Google exchanges no code of a web app.
            if settings.google_secret is not None:
                self._all[GOOGLE] = google
        if settings.github_client_id is not None and settings.github_secret is not None:
            self._all[GITHUB] = GitHub(
                outgoing, settings.github_client_id, settings.github_secret, settings.github_url
            )

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._all) | frozenset(self._readers)

    def named(self, name: str) -> IdentityProvider:
        """Raises AccountError, 400 `validation_failed`."""
        found = self._all.get(name)
        if found is None:
            why = (
                "provider is not enabled"
                if name in KNOWN
                else f"Provider {name[:_SHOWN_CHARACTERS]} could not be found"
            )
            raise AccountError(400, "validation_failed", f"Unsupported provider: {why}")
        return found

    def reader(self, name: str) -> IdTokenReader:
        """
        Returns the provider whose ID tokens are taken under this name. Raises AccountError, 400 `provider_disabled` or
        `validation_failed`.
        """
        found = self._readers.get(name)
        if found is not None:
            return found
        if issuer := ISSUERS.get(name):
            raise AccountError(400, "provider_disabled", f'Provider (issuer "{issuer}") is not enabled')
        raise AccountError(
            400, "validation_failed", f'Custom OIDC provider "{name[:_SHOWN_CHARACTERS]}" not allowed'
        )

    def of_issuer(self, issuer: str, client_id: str) -> tuple[str, IdTokenReader]:
        """Returns the provider and its name. Raises AccountError, 400 `validation_failed`."""
        for name, each in self._readers.items():
            if each.issuer.rstrip("/") == issuer.rstrip("/") and client_id in each.client_ids:
                return name, each
        raise AccountError(
            400, "validation_failed", f'Custom OIDC provider "{issuer[:_SHOWN_CHARACTERS]}" not allowed'
        )

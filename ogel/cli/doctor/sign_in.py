"""The sites that people sign in with: do they answer as they must?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.cli.doctor.advice import containers_hint
from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.features.accounts.oauth.clients import OidcClient
from ogel.features.accounts.settings import AccountsSettings

if TYPE_CHECKING:
    from ogel.runtime.outgoing import Outgoing

_WRITTEN = "write the issuer in OGEL_AUTH_OIDC exactly as its /.well-known/openid-configuration does"


def callback(patient: Patient) -> Sequence[Finding]:
    accounts = patient.settings.of(AccountsSettings)
    if accounts.api_url is not None or not (
        accounts.oidc or accounts.github_client_id or accounts.google_client_ids
    ):
        return []
    detail = f"other sites send people back to {accounts.external_url}/callback"
    if not patient.on_railway:
        return [well("sign-in", detail)]
    return [ill("sign-in", detail, "set OGEL_AUTH_URL to where browsers reach /auth/v1")]


async def issuers(patient: Patient) -> Sequence[Finding]:
    from ogel.adapters.egress.outgoing import OutgoingClient

    clients = patient.settings.of(AccountsSettings).oidc
    if not clients:
        return []
    outgoing = OutgoingClient(proxy=patient.settings.egress_proxy)
    try:
        return await asyncio.gather(*(_issuer(patient, outgoing, client) for client in clients))
    finally:
        await outgoing.close()


async def _issuer(patient: Patient, outgoing: Outgoing, client: OidcClient) -> Finding:
    from ogel.adapters.identity_providers.oidc import OpenIdProvider
    from ogel.runtime.identity_provider import ProviderError

    provider = OpenIdProvider(outgoing, client.issuer, client.client_ids, client.secret)
    try:
        await provider.check()
    except ProviderError as error:
        advice = _WRITTEN + containers_hint(patient, client.issuer, str(error))
        return ill("sign-in", f"{client.name}, {client.issuer}: {error}", advice)
    return well("sign-in", f"{client.name} answers at {client.issuer}")

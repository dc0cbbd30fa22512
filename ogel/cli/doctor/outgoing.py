"""What leaves: mail and its templates, the proxy of webhooks, reports of errors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from importlib.util import find_spec

from ogel.cli.doctor.advice import containers_hint, reason_of
from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.features.gateway.settings import GatewaySettings
from ogel.features.mail.settings import MailSettings
from ogel.runtime.server_urls.parts import ServerUrl

_SECONDS = 5.0
_TEMPLATES = "name a directory with <locale>/<name>.subject.jinja and so on, which this user may read"


async def smtp(patient: Patient) -> Sequence[Finding]:
    from ogel.adapters.mail.smtp import SmtpProvider, SmtpServer
    from ogel.runtime.delivery.providers import ProviderError
    from ogel.runtime.mail.address import parse_address

    mail = patient.settings.of(MailSettings)
    url = mail.smtp_url
    if url is None:
        return []
    server = SmtpServer.of(url)
    # As letters do: there are servers that let nobody in who gives them a name they do not like.
    own_name = mail.helo or (parse_address(mail.sender).domain if mail.sender else None)
    try:
        await SmtpProvider(server, _SECONDS, own_name).check()
    except ProviderError as error:
        variable = patient.variable("mail.smtp_url") or "SMTP_URL"
        advice = f"check {variable}: host, port, user, password, and whether it is TLS, STARTTLS or neither"
        return [
            ill(
                "smtp",
                f"{server.host}:{server.port}: {error}",
                advice + containers_hint(patient, url, str(error)),
            )
        ]
    return [well("smtp", f"{server.host}:{server.port} lets us in")]


def templates(patient: Patient) -> Sequence[Finding]:
    folder = patient.given.of(MailSettings).templates
    if folder is None:
        return []
    if not folder.exists():
        return [ill("mail templates", f"OGEL_MAIL_TEMPLATES: {folder} is not there", _TEMPLATES)]
    if not folder.is_dir():
        return [ill("mail templates", f"OGEL_MAIL_TEMPLATES: {folder} is not a directory", _TEMPLATES)]
    if not os.access(folder, os.R_OK | os.X_OK):
        return [ill("mail templates", f"OGEL_MAIL_TEMPLATES: {folder} cannot be read", _TEMPLATES)]
    found = sum(1 for _ in folder.glob("*/*.jinja"))
    if not found:
        return [ill("mail templates", f"OGEL_MAIL_TEMPLATES: {folder} holds no templates", _TEMPLATES)]
    return [well("mail templates", f"{found:,} files in {folder}")]


async def proxy(patient: Patient) -> Sequence[Finding]:
    from ogel.adapters.egress import ProxyAddress

    url = patient.settings.egress_proxy
    if url is None:
        return []
    address = ProxyAddress.of(url)
    reason = await _unreachable(address.host, address.port)
    if reason is not None:
        advice = "check OGEL_EGRESS_PROXY: without it no webhook leaves" + containers_hint(
            patient, url, reason
        )
        return [ill("egress proxy", f"{address.host}:{address.port}: {reason}", advice)]
    return [well("egress proxy", f"{address.host}:{address.port} can be reached")]


async def sentry(patient: Patient) -> Sequence[Finding]:
    dsn = patient.settings.sentry_dsn
    if dsn is None:
        return []
    if find_spec("sentry_sdk") is None:
        advice = "pip install 'ogel[sentry]', or take it away"
        return [ill("sentry", "SENTRY_DSN is set, but the extra is missing", advice)]
    url = ServerUrl.parse(dsn)
    [(host, port)] = url.places
    reason = await _unreachable(host, port or (443 if url.scheme == "https" else 80))
    if reason is not None:
        return [ill("sentry", f"{host}: {reason}", "check SENTRY_DSN: without it no error is reported")]
    return [well("sentry", f"{host} can be reached")]


async def upstreams(patient: Patient) -> Sequence[Finding]:
    from ogel.adapters.egress.upstreams import UpstreamClient
    from ogel.runtime.egress import EgressError

    client, found = UpstreamClient(), []
    for upstream in patient.settings.of(GatewaySettings).upstreams:
        if upstream.url is None:
            continue
        try:
            await client.reach(upstream.url, _SECONDS)
        except EgressError as error:
            advice = f"check OGEL_UPSTREAMS: requests for {upstream.path} are answered 502"
            hint = containers_hint(patient, upstream.url, error.message)
            found.append(ill("upstreams", f"{upstream.path}: {upstream.url}: {error.message}", advice + hint))
        else:
            found.append(well("upstreams", f"{upstream.path}: {upstream.url} can be reached"))
    return found


async def _unreachable(host: str, port: int) -> str | None:
    """Why, if it is."""
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, UnicodeError) as error:
        return f"no connection within {_SECONDS:g} s" if isinstance(error, TimeoutError) else reason_of(error)
    writer.close()
    return None

"""`ogel network check`"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ogel import interrupts
from ogel.cli.operator import json_option, say_json
from ogel.cli.process import event_loop, settings_of_environment
from ogel.cli.tables import Column, Table, printable, show_text
from ogel.runtime.network.place import PRIVATE_SUFFIX
from ogel.settings import Settings

if TYPE_CHECKING:
    from ogel.features.network.checking import Checked
    from ogel.runtime.network.probing import Probed
    from ogel.runtime.network.server import NamedServer

PUBLIC, UNANSWERED = 1, 3


@click.command("check")
@json_option
def command(as_json: bool) -> None:
    """
    Where each server of the settings is, and how far away.

    Every server is looked up and asked 20 times, side by side: all in 12 seconds. Exit 1 when one is reached by a
    public name of Railway's, 2 when a setting is wrong, 3 when none is public and one did not answer. Inside a service:
    railway ssh --service NAME -- ogel network check
    """
    checked = _asked(_settings())
    if as_json:
        say_json(checked)
    else:
        _show(checked)
    sys.exit(PUBLIC if checked.public_hops else UNANSWERED if checked.unanswered else 0)


def _settings() -> Settings:
    """With the servers of the `ogel up` that runs in OGEL_DATA_DIR, if one does."""
    import dataclasses

    settings = settings_of_environment()
    if not settings.embedded:
        return settings
    from ogel.adapters.embedded import kept_secret, running_urls

    database_url, redis_url = running_urls(settings.data_dir)
    return dataclasses.replace(
        settings,
        database_url=settings.database_url or database_url,
        redis_url=settings.redis_url or redis_url,
        secret=settings.secret or (kept_secret(settings.data_dir, "secret") if database_url else None),
    )


def _asked(settings: Settings) -> Checked:
    from ogel.adapters.databases.addresses import check_host
    from ogel.adapters.network import NetworkProber
    from ogel.environ import secrets_of
    from ogel.features.network.checking import check
    from ogel.platform.named_servers import named_servers
    from ogel.runtime.log.setup import configure_logging
    from ogel.runtime.secrets.scrub import Scrubber

    configure_logging("error", sys.stderr, settings.log_form, Scrubber(secrets_of(settings)))

    async def registered() -> Sequence[NamedServer]:
        if settings.database_url is None:
            return []
        from ogel.operators import services

        async with services(settings) as platform:
            named: Sequence[NamedServer] = await platform.features["databases"].offers.servers.named()
            return named

    interrupts.raise_again()
    with event_loop() as runner:
        return runner.run(check(named_servers(settings), registered, NetworkProber(check_host)))


def _show(checked: Checked) -> None:
    TABLE.show(checked.servers)
    for each in checked.servers:
        if each.place == "public hop":
            _say_public(each)
    for each in checked.servers:
        if each.error is not None:
            show_text(f"{each.name} did not answer: {each.error}{_hint(each)}", colour="yellow")
    for note in checked.notes:
        show_text(note, colour="yellow")
    _say_where_from(checked)


def _say_public(each: Probed) -> None:
    gave = each.variable or f"the registered {each.name}"
    alias = f" ({each.alias})" if each.alias else ""
    show_text(
        f"public hop: {gave} leads to {each.host}:{each.port}{alias}; `ogel network plan` says what it would be",
        colour="red",
    )


def _hint(each: Probed) -> str:
    """Of what is usually wrong where a private name is known, and nobody is met there."""
    if each.host.endswith(PRIVATE_SUFFIX) and os.strerror(errno.ECONNREFUSED) in (each.error or ""):
        return "; it must listen on that port, and on :: (0.0.0.0 alone is IPv4)"
    return ""


def _say_where_from(checked: Checked) -> None:
    """Where a name of the private network is not known, only the inside of a service can tell."""
    if checked.inside is False or (checked.inside is None and not _is_inside()):
        service = os.environ.get("RAILWAY_SERVICE_NAME") or "NAME"
        click.echo()
        show_text("This is not inside Railway's private network. From there (`railway run` runs here, too):")
        click.echo(f"  railway ssh --service {shlex.quote(printable(service))} -- ogel network check")


def _is_inside() -> bool:
    """Of a deployment: `railway run` has the variables of the service, and none of these."""
    return "RAILWAY_REPLICA_ID" in os.environ or "RAILWAY_DEPLOYMENT_ID" in os.environ


def _trip(each: Probed) -> str:
    return "-" if each.p50_ms is None else f"{each.p50_ms:.2f} / {each.p99_ms:.2f}"


def _addresses(each: Probed) -> str:
    kinds = [f"{len(found)} {name}" for found, name in ((each.v4, "A"), (each.v6, "AAAA")) if found]
    return ", ".join(kinds) or "-"


def _spoken(each: Probed) -> str:
    tls = {True: "TLS", False: "plain", None: ""}[each.tls]
    return ", ".join(filter(None, [tls, each.pooler])) or "-"


TABLE: Table[Probed] = Table(
    "no server is set",
    [
        Column("server", lambda each: each.name),
        Column("where", lambda each: each.place),
        Column("host", lambda each: f"{each.host}:{each.port}", gives=True),
        Column("addresses", _addresses),
        Column("spoken", _spoken),
        Column("handshake ms", lambda each: each.handshake_ms and f"{each.handshake_ms:.1f}", right=True),
        Column("p50 / p99 ms", _trip, right=True),
    ],
)

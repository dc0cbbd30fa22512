"""`ogel channels`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from ogel.cli.given import json_of
from ogel.cli.named import in_options
from ogel.cli.operator import api, json_option, limit_option, say, say_list
from ogel.cli.tables import Column, Table, printable
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.realtime.channels.service import KeptMessage
    from ogel.features.realtime.channels.store import ChannelRow

_CHANNELS: Table[ChannelRow] = Table(
    "no channels",
    [
        Column("name", gives=True),
        Column("published", lambda each: each.top, right=True),
        Column("epoch"),
        Column("last", lambda each: relative(each.published_at)),
    ],
)
_HISTORY: Table[KeptMessage] = Table(
    "nothing is kept",
    [
        Column("offset", right=True),
        Column("data", lambda each: bytes(each.data).decode(), gives=True),
        Column("roles", lambda each: ",".join(each.roles) if each.roles else None, gives=True),
        Column("published", lambda each: relative(each.published_at)),
    ],
)


@click.group("channels")
def command() -> None:
    """Publish to channels of realtime, list them, and show what they keep."""


@command.command("publish")
@click.argument("channel")
@click.argument("data", metavar="JSON|@FILE|-")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Who may hear it; may be repeated.")
@click.option("--key", metavar="KEY", help="Of the same one only the first is published.")
@json_option
def publish(channel: str, data: str, roles: Sequence[str], key: str | None, as_json: bool) -> None:
    """Publish a message to a channel."""
    from ogel.features.realtime.channels.service import Place

    message: dict[str, object] = {"data": json_of("JSON", data)}
    message |= {"roles": list(roles)} if roles else {}
    message |= {"idempotency_key": key} if key is not None else {}
    with in_options({"idempotency_key": "--key", "roles": "--role"}), api() as ogel:
        answer = ogel.request("POST", f"/api/channels/{_segment(channel)}/publish", body=message)
    if as_json:
        say(answer)
    else:
        click.echo(f"{printable(channel)} {answer.as_(Place).offset}")


@command.command("list")
@click.option("--prefix", default="", help="Those whose names begin so.")
@click.option("--after", metavar="CURSOR", help="The `next` of the page before.")
@limit_option
@json_option
def list_channels(prefix: str, after: str | None, limit: int, as_json: bool) -> None:
    """Channels that were published to, by name."""
    from ogel.features.realtime.channels.store import ChannelRow

    with api() as ogel:
        found = ogel.listed("/api/channels", limit, query={"prefix": prefix}, cursor=after)
    say_list(found, as_json, ChannelRow, _CHANNELS.show, position=None)


@command.command("history")
@click.argument("channel")
@click.option("--since", type=click.IntRange(0), help="What came after this offset, oldest first.")
@click.option("--limit", type=click.IntRange(1, 100), default=25, show_default=True, help="How many at most.")
@json_option
def history(channel: str, since: int | None, limit: int, as_json: bool) -> None:
    """What a channel keeps, newest first."""
    from ogel.features.realtime.channels.service import History

    query = {"limit": limit, "since": since}
    with api() as ogel:
        answer = ogel.request("GET", f"/api/channels/{_segment(channel)}/history", query=query)
    if as_json:
        say(answer)
    else:
        _HISTORY.show(answer.as_(History).items)


def _segment(channel: str) -> str:
    return quote(channel, safe="")

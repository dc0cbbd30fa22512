"""`ogel trigger`"""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ogel.cli.given import json_of
from ogel.cli.named import in_options
from ogel.cli.operator import api, json_option, say
from ogel.runtime.log.terminal import printable

_DEEPEST = 32


@click.command("trigger")
@click.argument("type")
@click.option("--data", metavar="JSON|@FILE|-", help="What it says; an example without it.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE",
    help="amount=5, customer.name=Ann; JSON, or else text. May be repeated.",
)  # fmt: skip
@click.option("--subject", help="What it is about.")
@json_option
def command(
    type: str, data: str | None, settings: tuple[str, ...], subject: str | None, as_json: bool
) -> None:
    """Publish an example event of a TYPE (order.created), as your own program would."""
    from ogel.features.events.service import Published

    content: Any = msgspec.Raw(b'{"example":true}') if data is None else json_of("--data", data)
    if settings:
        content = msgspec.json.decode(content)
        for each in settings:
            content = _with(content, each)
    event = {"type": type, "data": content} | ({} if subject is None else {"subject": subject})
    with in_options({"type": "TYPE"}), api() as ogel:
        answer = ogel.request("POST", "/api/events", body=event)
    if as_json:
        say(answer)
        return
    published = answer.as_(Published)
    endpoints = "1 endpoint" if published.deliveries == 1 else f"{published.deliveries} endpoints"
    click.echo(f"{printable(published.id)} for {endpoints}")


def _with(content: Any, setting: str) -> Any:
    path, equals, text = setting.partition("=")
    names = path.split(".")
    if not equals or not all(names) or len(names) > _DEEPEST:
        raise click.UsageError(f"--set: {setting!r} is not PATH=VALUE")
    if not isinstance(content, dict):
        raise click.UsageError("--set: the data is no JSON object")
    place = content
    for name in names[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise click.UsageError(f"--set: there is no object at {name!r} of {path!r}")
    try:
        place[names[-1]] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        place[names[-1]] = text
    return content

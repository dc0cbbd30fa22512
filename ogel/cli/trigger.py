"""`ogel trigger`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from ogel.cli.operator import api, say_json
from ogel.runtime.log.terminal import printable

_MOST_BYTES = 16 * 1024 * 1024
_DEEPEST = 32


@click.command("trigger")
@click.argument("type")
@click.option("--data", metavar="JSON|@FILE|-", help="What it says; an example without it.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE",
    help="amount=5, customer.name=Ann; JSON, or else text. May be repeated.",
)  # fmt: skip
@click.option("--subject", help="What it is about.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    type: str, data: str | None, settings: tuple[str, ...], subject: str | None, as_json: bool
) -> None:
    """Publish an example event of a TYPE (order.created), as your own program would."""
    content: Any = msgspec.Raw(b'{"example":true}') if data is None else _read(data)
    if settings:
        content = msgspec.json.decode(content)
        for each in settings:
            content = _with(content, each)
    event = {"type": type, "data": content} | ({} if subject is None else {"subject": subject})
    with api() as client:
        published = client.request("POST", "/api/events", body=event).as_(_Published)
    if as_json:
        say_json(published)
    else:
        endpoints = "1 endpoint" if published.deliveries == 1 else f"{published.deliveries} endpoints"
        click.echo(f"{printable(published.id)} for {endpoints}")


class _Published(msgspec.Struct):
    id: str
    deliveries: int


def _read(data: str) -> msgspec.Raw:
    """As it is written: numbers keep their form."""
    where = "--data"
    try:
        if data == "-":
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        elif data.startswith("@"):
            where = f"--data {data}"
            with Path(data[1:]).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        else:
            content = data.encode()
        if len(content) > _MOST_BYTES:
            raise click.UsageError(f"{where}: it holds more than {_MOST_BYTES >> 20} MiB")
        msgspec.json.decode(content)
    except OSError as error:
        raise click.UsageError(f"{where}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise click.UsageError(f"{where}: it is not JSON: {error}") from None
    return msgspec.Raw(content)


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

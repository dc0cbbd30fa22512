"""`ogel request`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ogel.cli.given import content_of
from ogel.cli.operator import api, say, say_json

if TYPE_CHECKING:
    from ogel.cli.client import Client

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_READING = {"GET", "HEAD"}


@click.command("request")
@click.argument("method", type=click.Choice(METHODS, case_sensitive=False))
@click.argument("path")
@click.option(
    "--data", metavar="JSON|@FILE|-", help="The body: as it is, of a file, or of the standard input."
)
@click.option("--query", "-q", "pairs", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--all", "every", is_flag=True, help="Of a list: its items on all pages, one to a line.")
def command(method: str, path: str, data: str | None, pairs: tuple[str, ...], every: bool) -> None:
    """Any call of the API, with the key and the address of all commands; exit 1 when it was refused.

    \b
        ogel request GET /api/events -q type=order.created
        ogel request POST /api/events --data '{"type": "order.created", "data": {"total": 42}}'
    """
    query = dict(_pair(pair) for pair in pairs)
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or "?" in path or " " in path:
        raise click.UsageError("PATH begins with / and is percent-encoded; its query goes into --query")
    if every and method != "GET":
        raise click.UsageError("--all is of a list, which is read by GET")
    body = None if data is None else content_of("--data", data)
    with api(seals=method not in _READING) as ogel:
        if every:
            _say_all(ogel, path, query)
            return
        answer = ogel.send(method, path, query, body)
    if answer.body:
        say(answer)
    if not answer.ok:
        click.echo(f"{method} {path}: {answer.status}", err=True)
        sys.exit(1)


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next: str | None = None


def _say_all(ogel: Client, path: str, query: dict[str, str]) -> None:
    """Ends when the server gives the same page's end twice, too."""
    wanted: dict[str, Any] = {"limit": "100", **query}
    while True:
        page = ogel.request("GET", path, wanted).as_(_Page)
        for item in page.items:
            say_json(item)
        if page.next is None or page.next == wanted.get("after"):
            return
        wanted["after"] = page.next


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--query")
    return name, value

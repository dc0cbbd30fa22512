"""`ogel webhooks verify`"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

import click

from ogel.cli.given import PLACE, read_from
from ogel.cli.tables import printable

if TYPE_CHECKING:
    from ogel.features.webhooks.secrets.verify import VerifyingKey

_REQUEST_LINE = re.compile(r"[A-Z]+ \S+ HTTP/[0-9.]+")
_UNIX_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST_BODY_BYTES = 64 * 1024 * 1024


def _time(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Unix time."""
    if value is None or _UNIX_TIME.fullmatch(value):
        return None if value is None else float(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(f"{value!r} is neither Unix seconds nor a time such as 2026-01-31T08:15:30Z")
    return moment.timestamp()


def _tolerance(_: click.Context, __: click.Parameter, value: str) -> float | None:
    if value == "none":
        return None
    if not _UNIX_TIME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is neither a number of seconds nor `none`")
    return float(value)


@click.command("verify")
@click.argument("file", type=click.File("rb"))
@click.option("--secret", "secrets", multiple=True, metavar="whsec_…", help="Repeat it during a rotation.")
@click.option(
    "--secret-from",
    "places",
    multiple=True,
    metavar=PLACE,
    help="From a variable or the standard input, where no history and no list of processes shows it.",
)
@click.option(
    "--public-key", "public_keys", multiple=True, metavar="whpk_…", help="For v1a; may be repeated."
)
@click.option("--id", help="The webhook-id header.")
@click.option("--timestamp", help="The webhook-timestamp header.")
@click.option("--signature", help="The webhook-signature header.")
@click.option("--headers", "header_file", type=click.File("rb"), help="`Name: value` lines, as captured.")
@click.option("--at", callback=_time, help="When it arrived: Unix seconds or RFC 3339; now without it.")
@click.option(
    "--tolerance",
    callback=_tolerance,
    default="300",
    show_default=True,
    help="How far its timestamp may be from that; `none` to skip this.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    file: BinaryIO,
    secrets: Sequence[str],
    places: Sequence[str],
    public_keys: Sequence[str],
    id: str | None,
    timestamp: str | None,
    signature: str | None,
    header_file: BinaryIO | None,
    at: float | None,
    tolerance: float | None,
    as_json: bool,
) -> None:
    """
    Check the signature of a captured request; exit 0 or 1.

    FILE holds the body, byte for byte; `-` reads standard input.
    """
    from ogel.features.webhooks.secrets.verify import HEADERS, verify

    if (
        places.count("-") + sum(each is not None and each.name == "<stdin>" for each in (file, header_file))
        > 1
    ):
        raise click.UsageError("the standard input is one thing only: the body, the headers or a secret")
    keys = _keys([*secrets, *(read_from("--secret-from", place) for place in places)], public_keys)
    headers = list(_header_lines(header_file)) if header_file else []
    given = zip(HEADERS, (id, timestamp, signature), strict=True)
    headers += [(name, value) for name, value in given if value is not None]
    body = file.read(_MOST_BODY_BYTES + 1)
    if len(body) > _MOST_BODY_BYTES:
        raise click.UsageError(f"the body is longer than {_MOST_BODY_BYTES} bytes")
    problems = verify(headers, body, keys, time.time() if at is None else at, tolerance)
    if as_json:
        shown = [{"code": problem.code, "message": problem.message} for problem in problems]
        click.echo(json.dumps({"valid": not problems, "problems": shown}))
    else:
        click.echo("not valid" if problems else "valid")
        for problem in problems:
            click.echo(f"  {printable(problem.message)}")
    sys.exit(1 if problems else 0)


def _keys(secrets: Sequence[str], public_keys: Sequence[str]) -> list[VerifyingKey]:
    """The message says what is wrong with a key, and shows none of it."""
    from ogel.features.webhooks.secrets.verify import key_of_public, key_of_secret

    if not secrets and not public_keys:
        raise click.UsageError("give --secret, --secret-from or --public-key")
    keys = []
    for option, read, texts in (
        ("--secret", key_of_secret, secrets),
        ("--public-key", key_of_public, public_keys),
    ):
        for text in texts:
            try:
                keys.append(read(text))
            except ValueError as error:
                raise click.UsageError(f"{option} {error}") from None
    return keys


def _header_lines(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """A request line before them and an empty one after them are no headers."""
    for number, line in enumerate(file.read(_MOST_BODY_BYTES).decode("latin-1").split("\n"), start=1):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            yield name.strip(), value.strip()
        elif line.strip() and not (number == 1 and _REQUEST_LINE.fullmatch(line.strip())):
            raise click.UsageError(f"--headers: line {number} is no `Name: value`")

"""`ogel smoke`"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ogel import interrupts
from ogel.cli.numbers import RealRange
from ogel.cli.operator import json_option, say_json
from ogel.cli.smoke.parts import PARTS
from ogel.cli.tables import cut, printable, terminal_width

if TYPE_CHECKING:
    from ogel.cli.profiles import Remote
    from ogel.cli.smoke.run import Step


@click.command("smoke")
@click.argument("url", required=False)
@click.option("--key", envvar="OGEL_KEY", help="Better in OGEL_KEY, which no list of processes shows.")
@click.option("--version", metavar="VERSION", help="What has to run there.")
@click.option("--commit", metavar="HASH", help="Of which commit it has to be.")
@click.option(
    "--wait",
    type=RealRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Until it is ready, and runs what it has to, before the time begins.",
)
@click.option("--seconds", type=RealRange(5, 600), default=30.0, show_default=True, help="For everything.")
@click.option("--realtime", metavar="URL", help="Where the WebSocket is, if another service has it.")
@click.option("--skip", type=click.Choice([*PARTS]), multiple=True, help="May be repeated.")
@json_option
def command(
    url: str | None,
    key: str | None,
    version: str | None,
    commit: str | None,
    wait: float,
    seconds: float,
    realtime: str | None,
    skip: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check a deployment from outside: publish an event, receive it signed, and whatever else it is for.

    \b
        ogel smoke https://ogel.example.com --wait 120 --version 1.4.0

    Nothing stays behind but the event, of the type `ogel.smoke`. Without URL, it is the suite of the profile in use.
    Each cause of failing has an exit code of its own: docs/deploying.md.
    """
    from ogel.cli.over_http import OverHttp
    from ogel.cli.profiles import clean_url
    from ogel.cli.smoke.run import Run, Wanted

    remote = _remote(url, key)
    elsewhere = None if realtime is None else clean_url(realtime, "--realtime")
    parts = [part for part in PARTS if part not in skip]
    wanted = Wanted(remote, elsewhere, version, commit, seconds, wait, parts)
    with _ended_by_signals(), _at_most(wait + seconds), OverHttp(remote.url, remote.key) as transport:
        outcome = Run(wanted, transport, (lambda step: None) if as_json else _show).outcome()
    if as_json:
        say_json(outcome)
    elif outcome.cause is None:
        click.echo(f"well, in {outcome.seconds:.1f} s")
    else:
        click.echo(
            f"ogel: {outcome.cause}; exit code {outcome.code}, after {outcome.seconds:.1f} s", err=True
        )
    sys.exit(outcome.code)


def _remote(url: str | None, key: str | None) -> Remote:
    from ogel.cli import profiles
    from ogel.cli.client import chosen
    from ogel.kernel.errors import ConfigError

    if url is not None:
        if not key:
            raise click.UsageError("a key is needed: --key, or the variable OGEL_KEY")
        return profiles.Remote(profiles.clean_url(url, "URL"), profiles.clean_key(key, "--key"))
    remote = chosen(click.get_current_context().find_root().params.get("profile"))
    if remote is None:
        raise ConfigError("say which suite: `ogel smoke URL`, or OGEL_URL, or `ogel login URL`")
    return remote


def _show(step: Step) -> None:
    mark = click.style("ok  " if step.ok else "FAIL", fg="green" if step.ok else "red")
    line = f"  {step.name:<10} {step.seconds * 1000:>6.0f} ms  {printable(step.detail)}"
    most = terminal_width()
    # What failed is told whole.
    click.echo(mark + (line if most is None or not step.ok else cut(line, most - 4)))
    sys.stdout.flush()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM, too, gives the time to put things away."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    interrupts.raise_again()
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Beyond all other limits: looking up a host has none, and a server may send its answer a byte at a time."""
    from ogel.cli.smoke.problem import EXIT_CODES

    def give_up() -> None:
        click.echo(f"ogel: time; something did not end within {seconds:g} s, and is cut off", err=True)
        sys.stdout.flush()
        os._exit(EXIT_CODES["time"])

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

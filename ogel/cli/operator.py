"""What operators' commands share: access to the API or the services, the caller, common options, JSON output."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from ogel import interrupts
from ogel.cli.process import event_loop, settings_beside
from ogel.kernel.errors import Invalid
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client, Listed
    from ogel.operators import Services
    from ogel.settings import Settings

Answered = TypeVar("Answered")
Thing = TypeVar("Thing")
Command = TypeVar("Command", bound=Callable[..., object])

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def identifier(value: str) -> str:
    """The type of options and arguments that take an id. Raises BadParameter for what cannot be one."""
    if _ID.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is no id: letters, digits, _ and -, 128 at most")
    return value


json_option = click.option("--json", "as_json", is_flag=True, help="For machines.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)

after_option = click.option("--after", type=identifier, metavar="ID", help="Begin after this one.")


def ask_no_machine(as_json: bool, sure: bool, by: str = "--yes") -> None:
    """Raises a usage error where a machine would be asked whether it is `sure`, which it says `by` options."""
    if as_json and not sure:
        raise click.UsageError(f"--json asks nobody: it needs {by}")


def profile_option(help: str) -> Callable[[Command], Command]:
    """`--profile` for commands that manage profiles; for all others it stands before the command's name."""
    return click.option("--profile", metavar="NAME", default=_profile, help=f"{help} Also OGEL_PROFILE.")


def _profile() -> str | None:
    import os

    named: str | None = click.get_current_context().find_root().params.get("profile")
    return named or os.environ.get("OGEL_PROFILE") or None


def ask(question: Callable[[Services], Awaitable[Answered]]) -> Answered:
    """Asks the services directly, on the database of the environment or of an `ogel up` that runs on this machine."""
    from ogel.operators import services

    return within(services, question)


def within(
    opened: Callable[[Settings], AbstractAsyncContextManager[Thing]],
    question: Callable[[Thing], Awaitable[Answered]],
) -> Answered:
    return within_settings(settings_beside(), opened, question)


def within_settings(
    settings: Settings,
    opened: Callable[[Settings], AbstractAsyncContextManager[Thing]],
    question: Callable[[Thing], Awaitable[Answered]],
) -> Answered:
    from ogel.environ import secrets_of
    from ogel.runtime.log.setup import configure_logging
    from ogel.runtime.secrets.scrub import Scrubber

    # stdout is for the answer
    configure_logging("warning", sys.stderr, settings.log_form, Scrubber(secrets_of(settings)))

    async def asked() -> Answered:
        async with opened(settings) as thing:
            return await question(thing)

    interrupts.raise_again()
    with _options_named(), event_loop() as runner:
        return runner.run(asked())


@contextmanager
def api(seals: bool = False) -> Iterator[Client]:
    """
    The suite that this command is about (see client.connected). `seals`: what is asked of it seals secrets, or needs
    sealed ones.
    """
    from ogel.cli.client import connected

    profile = click.get_current_context().find_root().params.get("profile")
    with _options_named(), connected(profile, seals) as client:
        yield client


@contextmanager
def _options_named() -> Iterator[None]:
    """Errors about a query parameter name the option of the same name instead."""
    try:
        yield
    except Invalid as error:
        for wrong in error.errors:
            if wrong.path.startswith("query."):
                option = f"--{wrong.path.removeprefix('query.').replace('_', '-')}"
                raise Invalid(f"{option}: {wrong.message}") from None
        raise


def operator() -> Caller:
    """Returns the caller that audit records name: `cli:` and the user of this machine."""
    return Caller(Principal("system", f"cli:{getpass.getuser()}"), request_id=new_id("req"))


def say_json(value: object) -> None:
    """Prints a value as one JSON document on one line."""
    import msgspec

    _write(msgspec.json.encode(value))


def say(answer: Answer) -> None:
    """Prints the API's JSON as it came."""
    _write(answer.body.rstrip(b"\n"))


def say_one(answer: Answer, as_json: bool, kind: type[Thing], show: Callable[[Thing], None]) -> None:
    """Prints the API's JSON as it came, or shows it to people as a `kind`."""
    if as_json:
        say(answer)
    else:
        show(answer.as_(kind))


def say_list(
    listed: Listed,
    as_json: bool,
    kind: type[Thing],
    show: Callable[[Sequence[Thing]], None],
    position: str | None = "id",
) -> None:
    """Prints a page. `position` is the field of an item that `--after` takes; None when it takes the API's cursor."""
    import msgspec

    next = listed.next
    if next is not None and position is not None:
        next = msgspec.json.decode(listed.items[-1])[position]
    if as_json:
        say_json({"items": listed.items, "next": next})
        return
    show(listed.as_(kind))
    if next is not None:
        click.echo(f"there are more: --after {next}", err=True)


def _write(document: bytes) -> None:
    """Writes bytes, because JSON is UTF-8 whatever the encoding of the terminal is."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        click.echo(document.decode())
    else:
        click.echo(document)

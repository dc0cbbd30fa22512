"""`ogel gateway`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import json_option, say_json
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from ogel.features.gateway.kong.translating import Translation


@click.group("gateway")
def command() -> None:
    """Take over what another gateway did."""


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--env", "as_env", is_flag=True, help="As lines of a .env file, what is left behind as comments."
)
@json_option
def import_(file: Path, as_env: bool, as_json: bool) -> None:
    """
    Turn a declarative file of Kong's (kong.yml) into settings, and list what it cannot.

    Nothing is changed: the settings are printed.
    """
    from ogel.features.gateway.kong.reading import MAX_BYTES, read
    from ogel.features.gateway.kong.translating import translate

    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        found = translate(read(content), _own_paths())
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}") from error
    if as_json:
        say_json(found)
    elif as_env:
        _show_env(found)
    else:
        _show(found)


def _own_paths() -> list[str]:
    from ogel.features.gateway.upstreams.mounts import OWN
    from ogel.platform.platform import Platform
    from ogel.settings import NOWHERE

    return [*OWN, *(dialect.prefix for _, dialect in Platform(NOWHERE).dialects())]


def _show(found: Translation) -> None:
    from ogel.runtime.log.terminal import printable

    for name, value in found.settings.items():
        click.echo(f"{name}={printable(value)}")
    if not found.settings:
        click.echo("nothing is to be set")
    for note in found.notes:
        click.echo(f"left: {printable(note.what)}: {printable(note.why)}", err=True)


def _show_env(found: Translation) -> None:
    from ogel.runtime.log.terminal import printable

    for note in found.notes:
        click.echo(f"# left: {printable(note.what)}: {printable(note.why)}")
    for name, value in found.settings.items():
        click.echo(f'{name}="{printable(value)}"' if " " in value else f"{name}={printable(value)}")

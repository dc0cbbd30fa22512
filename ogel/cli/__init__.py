"""The `ogel` command: one file per sub-command, imported only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from ogel import __version__
from ogel.kernel.errors import OgelError

# name → the first line of its help, so that `ogel --help` imports none of them.
COMMANDS = {
    "up": "Everything in one process, with its own Postgres and Redis when no URL is set.",
    "api": "The HTTP API.",
    "worker": "Background workers for the queues you name.",
    "scheduler": "The clock of recurring jobs; any number may run.",
    "realtime": "WebSocket and SSE.",
    "migrate": "Bring the database to the schema this version needs.",
    "settings": "Every setting, its value, where it came from and what it means.",
    "doctor": "Check settings, servers and schema, and say what is missing.",
    "keys": "Create, list and revoke API keys.",
    "healthcheck": "Ask the process on PORT whether it is ready; exit 0 or 1.",
}


class _LateGroup(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"ogel.cli.{name}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ogel")
def cli() -> None:
    """Ogel: the backend suite for Railway, as one process or as many."""


def main() -> None:
    """Errors a person can mend are one line on stderr and exit 2; anything else is a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except OgelError as error:
        click.echo(f"ogel: {error.message}", err=True)
        sys.exit(2)

"""The `ogel` command: one file per sub-command, imported only when it is called."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ogel import __version__, interrupts
from ogel.kernel.errors import Conflict, NotFound, OgelError, Restart
from ogel.runtime.log.terminal import colours, printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

NAME = "ogel"
# By subject, name → the first line of its help, so that `ogel --help` imports none of them.
SECTIONS = {
    "Processes": {
        "up": "Everything in one process, with its own Postgres and Redis when no URL is set.",
        "api": "The HTTP API.",
        "worker": "Background workers for the queues you name.",
        "scheduler": "The clock of recurring jobs; any number may run.",
        "realtime": "WebSocket and SSE.",
        "status": "The addresses of the running suite, and whether it is well.",
        "alerts": "What is over its threshold, and the runbook that says what to do.",
        "healthcheck": "Ask the process on PORT whether it is ready; exit 0 or 1.",
    },
    "Events and webhooks": {
        "events": "Publish events, and look them up.",
        "webhooks": "Look at endpoints, test, pause and replay them, follow attempts, verify captured requests.",
        "deliveries": "Look at deliveries and their attempts, and retry them.",
        "listen": "Have deliveries sent to a program on this machine, until Ctrl-C.",
        "channels": "Publish to channels of realtime, list them, and show what they keep.",
        "trigger": "Publish an example event of a TYPE (order.created), as your own program would.",
    },
    "Mail, texts and push": {
        "mail": "Send a test message, look at messages and their attempts, and at who is suppressed.",
        "messages": "Send texts and push, look at messages and their attempts, and retry them.",
    },
    "Work": {
        "jobs": "Look at jobs, retry, cancel and purge them.",
        "queues": "How full every queue is; pause and resume them.",
        "workers": "The live workers.",
        "schedules": "Make, list, run, pause and delete schedules.",
        "cleanup": "What is forgotten when, how much of it is due; and forget it now.",
    },
    "Files": {
        "storage": "Buckets and the objects in them: copy files in and out, list, delete, measure, verify.",
    },
    "Databases and backups": {
        "databases": "Register databases that Ogel does not live in; watch, measure and migrate them.",
        "backup": "Copy all of Ogel's data into the store, check it, and restore it into an empty database.",
    },
    "People": {
        "teams": "Teams, who is in them with which roles, and who is invited.",
        "users": "Find, make, change, ban and delete users, and remove lost factors.",
        "sessions": "Where somebody has signed in; and sign them out.",
        "accounts": "Bring users along, and rotate the keys that access tokens are signed with.",
    },
    "Keys and records": {
        "keys": "Create, list and revoke API keys.",
        "s3-keys": "Create, list and revoke the keys of programs that speak S3.",
        "gateway": "Take over what another gateway did.",
        "maintenance": "Whether the API answers 503 to all but operators; begin that, and end it.",
        "audit": "List, verify and export the audit log.",
        "usage": "Requests, bytes, events, deliveries and jobs, day by day.",
        "slo": "How well each objective is kept, and how much may still go wrong.",
    },
    "Any of them": {
        "show": "Whatever has this id: an endpoint, an event, a delivery, a job, a message, …",
        "request": "Any call of the API, with the key and the address of all commands.",
    },
    "Railway": {
        "cost": "What the project costs, what it would cost otherwise, and whether that is too much.",
        "railway": "What the file that describes services to Railway would change there.",
        "release": "What each service runs, and what it could go back to; deploy, and go back.",
        "network": "Find what is reached over the public internet, move it inside, and back.",
        "consolidate": "Which services of a project can go: who uses Kong, GoTrue, MinIO and the like.",
        "smoke": "Check a deployment from outside: publish an event, receive it signed, and all the rest.",
    },
    "Where they are": {
        "login": "Keep the address and the key of a suite elsewhere: all commands then speak to it.",
        "logout": "Forget the address and the key of a profile.",
        "whoami": "Which suite commands speak to, as whom, and what they may do there.",
        "completion": "A script that lets your shell complete commands and options.",
    },
    "This machine": {
        "migrate": "Bring the database to the schema this version needs.",
        "doctor": "Check settings, servers and schema, and say what is missing.",
        "settings": "Every setting, its value, where it came from and what it means.",
        "secrets": "Seal stored secrets under a new OGEL_SECRET, without downtime.",
        "routes": "Every route and stream: who may use it, how often and with how much.",
    },
}
COMMANDS = {name: summary for section in SECTIONS.values() for name, summary in section.items()}


class LateGroup(click.Group):
    """
    `late` names its commands with the first line of their help; `ogel.cli.<prefix><name>` holds each, with `_` for `-`.
    `sections`: the same by subject.
    """

    def __init__(
        self,
        *arguments: Any,
        late: Mapping[str, str],
        prefix: str = "",
        sections: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._late = late
        self._prefix = prefix
        self._sections = sections or {"Commands": late}

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self._late)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self._late:
            return None
        interrupts.end_us()
        module = importlib.import_module(f"ogel.cli.{self._prefix}{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, arguments)
        except click.exceptions.NoSuchCommand as error:  # it knows of none that were not imported
            options = [option for parameter in self.get_params(context) for option in parameter.opts]
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=[*self._late, *options], ctx=context
            ) from None

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [name for name in self._late if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, context, incomplete)
        return [*(CompletionItem(name, help=self._late[name]) for name in names), *options]

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=LateGroup,
    late=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=NAME)
@click.option("--profile", metavar="NAME", help="The suite of this profile; `ogel login` makes them.")
def cli(profile: str | None) -> None:
    """Ogel: the backend suite for Railway, as one process or as many."""


def main() -> None:
    """
    Errors a person can mend are one line each on stderr and exit 2, or 1 when what was named does not exist or is not
    in a state that allows this. Anything else is a traceback.
    """
    # Python's own thresholds, made for scripts, would look through all that is being imported time and again, and many
    # times a second through the thousands of objects that are alive while requests are in flight.
    gc.set_threshold(50_000, 10, 10)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has every letter
    try:
        cli.main(prog_name=NAME, standalone_mode=False, color=colours())
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except OgelError as error:
        for line in error.message.splitlines():  # wrong settings, all at once
            click.echo(f"ogel: {printable(line)}", err=True)
        sys.exit(1 if isinstance(error, NotFound | Conflict) else 2)
    except Restart:
        _begin_anew()
    except BrokenPipeError:
        # Whoever read us has enough; the interpreter must not try to write the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _begin_anew() -> NoReturn:
    """To whoever started us, nothing happened: the pid stays. Sockets and pipes of ours close by themselves."""
    import logging

    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is what we want

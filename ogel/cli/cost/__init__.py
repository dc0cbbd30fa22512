"""`ogel cost`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "now": "What the project has cost in this billing period, and what it will.",
    "plan": "What the same work costs in each layout, and files in each store.",
    "periods": "What billing periods have cost.",
    "watch": "Whether it is more than the budget; exit 1 if it is, or will be.",
}


@click.group("cost", cls=LateGroup, late=COMMANDS, prefix="cost.", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """What the project costs, what it would cost otherwise, and whether that is too much. Without more, `now`.

    With RAILWAY_TOKEN or RAILWAY_API_TOKEN Railway is asked, of any project; without, the suite, for what it has last
    read.
    """
    if context.invoked_subcommand is None:
        from ogel.cli.cost.now import command as now

        context.invoke(now)

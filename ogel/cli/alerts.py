"""`ogel alerts`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.observability.alerts.service import AlertItem

_TABLE: Table[AlertItem] = Table(
    "no alert is raised, and nothing is over its threshold",
    [
        Column("alert", lambda alert: alert.name),
        Column("of", lambda alert: alert.subject),
        Column("level"),
        Column("state", lambda alert: _state(alert)),
        Column("value", lambda alert: _number(alert.value), right=True),
        Column("threshold", lambda alert: _number(alert.threshold), right=True),
        Column("runbook"),
    ],
)


@click.command("alerts")
@click.option("--all", "every", is_flag=True, help="Every rule, and not only what is wrong.")
@json_option
def command(every: bool, as_json: bool) -> None:
    """What is over its threshold, and the runbook that says what to do; exit 0 when no alert is raised, else 1."""
    from ogel.features.observability.alerts.service import Checked

    with api() as ogel:
        answer = ogel.request("GET", "/api/alerts/check")
    checked = answer.as_(Checked)
    if as_json:
        say(answer)
    else:
        _TABLE.show(each for each in checked.items if every or each.raised or each.is_over)
    sys.exit(0 if checked.status == "ok" else 1)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _state(alert: AlertItem) -> str:
    """A look that is over, or not any more, is one of the two that it takes."""
    if alert.raised:
        return f"raised {relative(alert.since)}" + ("" if alert.is_over else ", clears")
    return "over, not raised yet" if alert.is_over else "ok"

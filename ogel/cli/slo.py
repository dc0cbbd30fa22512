"""`ogel slo`"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say
from ogel.cli.sizes import size
from ogel.cli.tables import Column, Table, show_parts, show_text
from ogel.cli.times import absolute
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.observability.slo.report import ObjectiveInfo, SloReport

WINDOWS = ("1h", "24h", "30d")


@click.command("slo")
@click.option(
    "--window",
    type=click.Choice(WINDOWS),
    default=WINDOWS[-1],
    show_default=True,
    help="What is left of the budget of this, and whether it was kept.",
)
@click.option("--strict", is_flag=True, help="Exit 1 for objectives of cost and of deployments, too.")
@json_option
def command(window: str, strict: bool, as_json: bool) -> None:
    """How well each objective is kept, and how much may still go wrong.

    Exit 1 when one of the service is missed. An exclamation mark is a miss; LEFT is the part of the error budget that
    is left, and at a BURN of 1 it lasts exactly as long as its window.
    """
    from ogel.features.observability.slo.report import SloReport

    with api() as ogel:
        answer = ogel.request("GET", "/api/slo")
    report = answer.as_(SloReport)
    if as_json:
        say(answer)
    else:
        _show(report, window)
    sys.exit(1 if any(strict or each.about == "service" for each in _missed(report, window)) else 0)


def _missed(report: SloReport, window: str) -> list[ObjectiveInfo]:
    return [each for each in report.items if each.windows[window].met is False]


def _show(report: SloReport, window: str) -> None:
    table: Table[ObjectiveInfo] = Table(
        "there are no objectives",
        [
            Column("objective", lambda each: each.name),
            Column("target", _target, right=True),
            *(_value(name) for name in WINDOWS),
            Column("left", lambda each: _percent(each.windows[window].budget_left), right=True),
            Column("burn", lambda each: _rate(each.windows[window].burn_rate), right=True),
        ],
    )
    table.show([each for each in report.items if not _is_unknown(each)])
    click.echo()
    missed = [each.name for each in _missed(report, window)]
    kept = sum(each.windows[window].met is True for each in report.items)
    since = "nothing is counted yet" if report.since is None else f"counted since {absolute(report.since)}"
    show_parts([f"of {window}: {kept} met, {len(missed)} missed", *missed, since])
    for note, names in _notes(report).items():
        show_text(f"{', '.join(names)}: {note}")


def _is_unknown(each: ObjectiveInfo) -> bool:
    """And it is said why."""
    return each.note is not None and all(standing.value is None for standing in each.windows.values())


def _notes(report: SloReport) -> Mapping[str, list[str]]:
    """Each with the objectives that it is about."""
    notes: dict[str, list[str]] = {}
    for each in report.items:
        if each.note is not None:
            notes.setdefault(each.note, []).append(each.name)
    return notes


def _value(window: str) -> Column[ObjectiveInfo]:
    def shown(each: ObjectiveInfo) -> str | None:
        standing = each.windows[window]
        if standing.value is None:
            return None
        return _in_unit(each, standing.value) + ("!" if standing.met is False else "")

    return Column(window, shown, right=True)


def _target(each: ObjectiveInfo) -> str:
    return f"{'>=' if each.at_least else '<='} {_in_unit(each, each.target)}"


def _in_unit(each: ObjectiveInfo, value: float) -> str:
    if each.unit == "share":
        return f"{value * 100:.5g} %"
    if each.unit == "bytes":
        return size(value)
    if each.unit == "dollars":
        return dollars(value)
    if each.unit == "per_day":
        return f"{value:.3g}/d"
    return _length(value)


def _length(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share * 100:.0f} %"


def _rate(rate: float | None) -> str | None:
    return None if rate is None else f"{rate:.2g}" if rate < 100 else f"{rate:.0f}"

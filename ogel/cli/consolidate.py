"""`ogel consolidate`"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.cost.source import prices_of, prices_option
from ogel.cli.numbers import RealRange
from ogel.cli.operator import json_option, say_json
from ogel.cli.progress import Meter
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.tables import Column, Table, heading, printable, show_fields, show_text
from ogel.kernel.errors import ConfigError
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.consolidation.evidence import Evidence
    from ogel.features.consolidation.report import Report, ServiceReport
    from ogel.runtime.railway import Railway
    from ogel.settings import Settings

# Railway keeps logs and metrics no longer than this on the plans that most have.
MAX_DAYS = 30
_STDOUT = "-"
_BULLET = "  "
_ANSWERS = {"keep": "keep", "replace": "replace", "remove": "remove", "unknown": "not known"}


@click.command("consolidate")
@place_options
@click.option(
    "--days",
    type=RealRange(0, MAX_DAYS, min_open=True),
    default=7,
    show_default=True,
    help="How far back logs and metrics are looked at.",
)
@click.option(
    "--look-inside",
    is_flag=True,
    help="Count rows, documents and objects, signing in with what the project's variables hold; read-only.",
)
@click.option(
    "--markdown",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report there too, for a pull request; - is the standard output alone.",
)
@prices_option
@json_option
def command(
    project: str | None,
    environment: str | None,
    days: float,
    look_inside: bool,
    file: Path | None,
    prices_file: Path | None,
    as_json: bool,
) -> None:
    """Which services of a project can go: who uses Kong, GoTrue, MinIO and the like.

    Finds Kong, GoTrue, Postgres Meta, MinIO, MongoDB, Realtime and Studio in a project on Railway, which need not run
    Ogel, by name, image, variables and what they answer; measures who uses them; and answers keep, replace by Ogel,
    remove, or not known and where to look. Reads only, and sends nothing but questions to the project's own hosts.

    Exit 0 whatever the answers are, 1 when there is no such project or environment, 2 when Railway does not tell or an
    option is wrong.
    """
    if as_json and str(file) == _STDOUT:
        raise click.UsageError(f"--json and --markdown {_STDOUT} both want the standard output")

    async def asked(railway: Railway, settings: Settings) -> Report:
        from ogel.features.consolidation.providers import audit
        from ogel.features.consolidation.reading import Question

        place = await place_of(railway, settings, project, environment)
        question = Question(
            place.project.id,
            place.environment.id,
            days,
            look_inside,
            _is_inside(place.project.id, place.environment.id),
        )
        async with audit(railway, _own_prefixes(), prices_of(settings, prices_file)) as auditor:
            return await auditor.run(question, meter.show)

    meter = Meter("consolidate")
    try:
        report = ask_railway(asked)
    finally:
        meter.clear()
    if file is not None:
        _write(report, file)
    if as_json:
        say_json(report)
    elif str(file) != _STDOUT:
        _show(report)


def _is_inside(project_id: str, environment_id: str) -> bool:
    """What Railway tells each process that it runs; elsewhere the private names lead nowhere, or to another project."""
    given = (os.environ.get("RAILWAY_PROJECT_ID"), os.environ.get("RAILWAY_ENVIRONMENT_ID"))
    return given == (project_id, environment_id) and "RAILWAY_PRIVATE_DOMAIN" in os.environ


def _own_prefixes() -> Sequence[str]:
    from ogel.platform.platform import Platform
    from ogel.settings import NOWHERE

    return [dialect.prefix for _, dialect in Platform(NOWHERE).dialects()]


def _write(report: Report, file: Path) -> None:
    from ogel.features.consolidation.markdown import markdown

    text = markdown(report)
    if str(file) == _STDOUT:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error


_SERVICES: Table[ServiceReport] = Table(
    "the environment has no services",
    [
        Column("service", lambda each: each.name, gives=True),
        Column("is", lambda each: each.title, gives=True),
        Column("answer", lambda each: _ANSWERS[each.answer]),
        Column("risk"),
        Column("costs", lambda each: dollars(each.monthly_cost), right=True),
        Column("saves", lambda each: dollars(each.monthly_saving), right=True),
    ],
)


def _show(report: Report) -> None:
    click.echo(f"{printable(report.project)}, {printable(report.environment)}: the last {report.days:g} days")
    _SERVICES.show(report.services)
    show_text(
        f"{dollars(report.monthly_saving)} a month can be saved, at list prices and the rate of these days"
    )
    for note in report.notes:
        show_text(note)
    for each in report.services:
        if each.is_audited:
            _show_service(each)
    _show_list("not seen", report.unseen)


def _show_service(service: ServiceReport) -> None:
    heading(f"{service.name}: {_ANSWERS[service.answer]}")
    show_text(service.reason)
    if service.hazard:
        show_text(f"Risk {service.risk}: {service.hazard}")
    _show_evidence("it is " + service.title, service.evidence)
    _show_evidence("against that", service.against)
    _show_evidence("who uses it", service.use)
    _show_list("steps", service.steps)
    _show_list("the way back", service.way_back)
    _show_list("where to look", service.look)


def _show_evidence(title: str, evidence: Sequence[Evidence]) -> None:
    if evidence:
        click.echo(f"{title}:")
        show_fields([(each.asked, each.answered) for each in evidence], _BULLET)


def _show_list(title: str, items: Sequence[str]) -> None:
    from ogel.features.consolidation.judgement.verdict import COMMANDS, NOTE

    if items:
        click.echo(f"{title}:")
        for each in items:
            command, _, note = each.partition(NOTE)
            if each.startswith(COMMANDS):
                click.echo(_BULLET + printable(command))  # whole, to be pasted
                show_text(note, _BULLET * 3)
            else:
                show_text(each, _BULLET)

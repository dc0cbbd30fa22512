"""`ogel doctor`"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import click

from ogel import interrupts
from ogel.cli.doctor.finding import Finding
from ogel.cli.operator import json_option, say_json
from ogel.cli.process import event_loop
from ogel.cli.tables import printable, show_text, wrapped

_RESULTS = {True: "ok", False: "FAIL"}


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check settings, servers and schema, and say what is missing. Exit 0 when all is well, else 1."""
    from ogel.cli.doctor.examine import examine
    from ogel.cli.doctor.patient import patient_of_environment
    from ogel.runtime.log.setup import configure_logging

    configure_logging("error", sys.stderr)
    patient = patient_of_environment()
    interrupts.raise_again()
    with event_loop() as runner:
        findings = runner.run(examine(patient))
    if as_json:
        say_json({"items": [dataclasses.asdict(finding) for finding in findings]})
    else:
        _show(findings)
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


def _show(findings: Sequence[Finding]) -> None:
    """Nothing is cut: what is found is longer than a line now and then."""
    width = max(len(finding.subject) for finding in findings)
    indent = " " * (8 + width + 2)
    click.secho(f"{'RESULT':<8}{'CHECK':<{width}}  FOUND", bold=True)
    for finding in findings:
        result = click.style(f"{_RESULTS[finding.ok]:<8}", fg="green" if finding.ok else "red")
        first, *more = wrapped(printable(finding.detail), len(indent))
        click.echo(f"{result}{finding.subject:<{width}}  {first}")
        for line in more:
            click.echo(indent + line)
        if finding.advice:
            show_text(f"→ {finding.advice}", indent)
        if finding.runbook:
            click.echo(f"{indent}→ {finding.runbook}")
    wrong = sum(not finding.ok for finding in findings)
    click.echo()
    click.echo("all is well" if not wrong else f"{wrong} to mend")

"""`ogel storage verify`"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

from ogel.cli.numbers import RealRange
from ogel.cli.operator import api, json_option, say_json
from ogel.cli.progress import LOOK_SECONDS, Meter, waiting
from ogel.cli.sizes import size
from ogel.cli.tables import Column, Table
from ogel.kernel.errors import OgelError

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.features.jobs.job import JobInfo
    from ogel.features.storage.blobs.verify import Finding, Report

_TABLE: Table[Finding] = Table(
    "",
    [
        Column("kind"),
        Column("object", lambda each: f"{each.bucket}:{each.name}" if each.name else None, gives=True),
        Column("subject", gives=True),
        Column("fixed", lambda each: "yes" if each.is_fixed else None),
    ],
)


@click.command("verify")
@click.option(
    "--fix", is_flag=True, help="Put right what loses nothing: delete what is nobody's, count quotas anew."
)
@click.option(
    "--sample",
    type=RealRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Of the blobs, read so many whole and compare them with their MD5; 1 reads all.",
)
@click.option("--wait/--no-wait", default=True, help="Until a worker has done it.")
@json_option
def command(fix: bool, sample: float, wait: bool, as_json: bool) -> None:
    """
    Compare what is known of the store with what is in it, both ways.

    A worker of the queue `cleanup` does it, while everything else goes on. Exit 0 when all is well or was put right, or
    was not waited for; 1 when something is wrong.
    """
    from ogel.features.storage.blobs.verify import Report
    from ogel.features.storage.upkeep.service import Begun

    with api() as ogel:
        wanted = {"fix": fix, "sample": sample}
        id = ogel.request("POST", "/api/storage/verify", body=wanted).as_(Begun).job
        with waiting(f"a worker goes on with it. Look: ogel jobs show {id}"):
            result = _ended(ogel, id) if wait else None
    if result is None:
        say_json({"job": id}) if as_json else click.echo(
            f"{id} looks; `ogel jobs show {id}` says what it found"
        )
        return
    report = msgspec.convert(result, Report)
    if as_json:
        say_json(result)
    else:
        _show(report)
    sys.exit(0 if sum(report.counts.values()) == report.fixed else 1)


def _ended(ogel: Client, id: str) -> object:
    """Its result. Raises OgelError when it was given up."""
    from ogel.features.jobs.job import JobInfo

    meter = Meter("storage verify")
    while True:
        job = ogel.request("GET", f"/api/jobs/{id}").as_(JobInfo)
        if job.status in ("done", "cancelled", "dead"):
            break
        _tell(meter, job)
        time.sleep(LOOK_SECONDS)
    meter.end()
    if job.status != "done":
        raise OgelError(f"the verification is {job.status}: {job.last_error or 'somebody ended it'}")
    return job.result


def _tell(meter: Meter, job: JobInfo) -> None:
    progress = job.progress
    if progress is not None:
        meter.show(progress.done, progress.note)
    else:
        meter.show(0.0, job.last_error or "waits for a worker of the queue `cleanup`")


def _show(report: Report) -> None:
    read = f", {size(report.read_bytes)} of it read" if report.read_bytes else ""
    click.echo(f"{report.blobs} blobs, {size(report.bytes)}{read}")
    if not report.counts:
        click.echo("nothing is wrong")
        return
    for kind, count in report.counts.items():
        click.echo(f"{kind}: {count}")
    if report.fixed:
        click.echo(f"put right: {report.fixed}")
    _TABLE.show(report.findings)

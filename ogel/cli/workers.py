"""`ogel workers`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.jobs.job import WorkerInfo

_TABLE: Table[WorkerInfo] = Table(
    "no workers",
    [
        Column("name"),
        Column("queues", lambda worker: ", ".join(worker.queues), gives=True),
        Column("host"),
        Column("pid", right=True),
        Column("state"),
        Column("started", lambda worker: worker.started_at and relative(worker.started_at)),
        Column("seen", lambda worker: worker.seen_at and relative(worker.seen_at)),
    ],
)


@click.command("workers")
@json_option
def command(as_json: bool) -> None:
    """The live workers."""
    from ogel.features.jobs.job import WorkerInfo

    with api() as ogel:
        found = ogel.whole("/api/workers")
    if as_json:
        say_json({"items": found.items})
    else:
        _TABLE.show(found.as_(WorkerInfo))

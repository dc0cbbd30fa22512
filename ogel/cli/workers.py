"""`ogel workers`"""

from __future__ import annotations

import click

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.tables import Column, show_table
from ogel.cli.times import relative

_COLUMNS = [
    Column("name"),
    Column("queues", gives=True),
    Column("host"),
    Column("pid", right=True),
    Column("state"),
    Column("started"),
    Column("seen"),
]


@click.command("workers")
@json_option
def command(as_json: bool) -> None:
    """The live workers."""
    from ogel.features.jobs.job import WorkerInfo

    with api() as ogel:
        found = ogel.whole("/api/workers")
    if as_json:
        say_json({"items": found.items})
        return
    rows = [
        (
            worker.name,
            ", ".join(worker.queues),
            worker.host,
            worker.pid,
            worker.state,
            worker.started_at and relative(worker.started_at),
            worker.seen_at and relative(worker.seen_at),
        )
        for worker in found.as_(WorkerInfo)
    ]
    show_table(_COLUMNS, rows, empty="no workers")

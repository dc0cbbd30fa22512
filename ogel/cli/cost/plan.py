"""`ogel cost plan`"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from ogel.cli.cost.given import number, size
from ogel.cli.cost.source import prices_of, prices_option
from ogel.cli.operator import api, json_option, say_json
from ogel.cli.process import settings_of_environment
from ogel.cli.tables import Column, Table, heading, show_fields, show_text
from ogel.features.costs.layouts import ROLE_MB, Assumptions, LayoutCost, Measured
from ogel.features.costs.stores import StoreCost, Volume
from ogel.features.costs.strategy import Claim
from ogel.kernel.errors import OgelError
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.cli.client import Client

_PATIENCE_SECONDS = 5.0
_INDENT = " " * 6


class Plan(Struct, frozen=True):
    """`measured`: whether the suite's own memory was taken, and if not why."""

    prices: str
    measured: str
    layouts: list[LayoutCost]
    volume: Volume | None
    stores: list[StoreCost]
    strategy: list[Claim]


@click.command("plan")
@click.option(
    "--memory-per-process", type=number(1_000_000), metavar="MB", help="Of every process but databases."
)
@click.option(
    "--memory-per-role",
    type=number(1_000_000),
    metavar="MB",
    default=ROLE_MB,
    show_default=True,
    help="What each role of a process (a queue, realtime, …) adds to that.",
)
@click.option(
    "--cpu-per-process", type=number(1000), metavar="VCPU", help="Of every process, while it is idle."
)
@click.option("--idle", is_flag=True, help="Without the memory that the suite's own processes hold now.")
@click.option("--stored", type=size, metavar="SIZE", help="Files that are kept: 100GB. Compares stores.")
@click.option("--egress", type=size, metavar="SIZE", help="Of these, what is downloaded in a month.")
@click.option("--uploaded", type=size, metavar="SIZE", default=Decimal(0), help="And uploaded.")
@click.option(
    "--writes", type=click.IntRange(0, 10**12), default=0, help="Requests in a month that change or list."
)
@click.option("--reads", type=click.IntRange(0, 10**12), default=0, help="Requests that read.")
@click.option("--through-service", is_flag=True, help="Bytes go through a service, not by presigned URLs.")
@click.option(
    "--strategy", is_flag=True, help="The figures of the strategy document, and what is wrong with them."
)
@prices_option
@json_option
def command(
    memory_per_process: Decimal | None,
    memory_per_role: Decimal,
    cpu_per_process: Decimal | None,
    idle: bool,
    stored: Decimal | None,
    egress: Decimal | None,
    uploaded: Decimal,
    writes: int,
    reads: int,
    through_service: bool,
    strategy: bool,
    prices_file: Path | None,
    as_json: bool,
) -> None:
    """What the same work costs in each layout, by the month; and with --stored, the same files in each store."""
    from ogel.features.costs import layouts, stores
    from ogel.features.costs.strategy import claims

    prices = prices_of(settings_of_environment(), prices_file)
    own, how = (None, "no: --idle") if idle else _measured()
    assumptions = Assumptions(memory_per_process, memory_per_role, cpu_per_process)
    volume = None
    if stored is not None or egress is not None:
        zero = Decimal(0)
        volume = Volume(stored or zero, egress or zero, uploaded, writes, reads, through_service)
    plan = Plan(
        prices.name,
        how,
        layouts.compared(prices, assumptions, own),
        volume,
        stores.compared(volume, prices) if volume else [],
        claims(prices) if strategy else [],
    )
    say_json(plan) if as_json else _show(plan)


def _measured() -> tuple[Measured | None, str]:
    """And how that went."""
    from ogel.features.costs.layouts import measured

    try:
        with api() as ogel:
            memory = _memory(ogel)
    except OgelError as error:
        return None, f"no: {error.message}"
    found = measured(memory)
    if found is not None:
        return found, f"yes: layout {found.layout}, {sum(memory.values()):.0f} MB"
    if not memory:
        return None, "no: no process has told of its memory in the last hour"
    return None, f"no: {', '.join(sorted(memory))} are the processes of no layout"


def _memory(ogel: Client) -> dict[str, Decimal]:
    """In MB, by service."""
    from ogel.features.costs.from_here import service_of
    from ogel.features.costs.layouts import MB_IN_GB
    from ogel.features.costs.money import exact
    from ogel.features.observability.resources.store import Taken
    from ogel.runtime.http.pagination import Page
    from ogel.runtime.prices.table import GB_BYTES

    answer = ogel.request("GET", "/api/resources/latest", timeout_seconds=_PATIENCE_SECONDS)
    memory: dict[str, Decimal] = {}
    for each in answer.as_(Page[Taken]).items:
        if each.name == "process.memory_bytes":
            service = service_of(each.labels.get("process", ""))
            mb = exact(each.value) / GB_BYTES * MB_IN_GB
            memory[service] = memory.get(service, Decimal(0)) + mb
    return memory


_LAYOUTS: Table[LayoutCost] = Table(
    "no layouts",
    [
        Column("layout"),
        Column("services", right=True),
        Column("MB", lambda each: f"{each.memory_mb:,.0f}", right=True),
        Column("memory", lambda each: dollars(each.memory_dollars), right=True),
        Column("cpu", lambda each: dollars(each.cpu_dollars), right=True),
        Column("a month", lambda each: dollars(each.dollars), right=True),
        Column("saved by one", lambda each: dollars(each.saved), right=True),
    ],
)
_STORES: Table[StoreCost] = Table(
    "no stores",
    [
        Column("store", lambda each: each.title),
        Column("kept", lambda each: dollars(each.kept), right=True),
        Column("sent", lambda each: dollars(each.sent), right=True),
        Column("requests", lambda each: dollars(each.requests), right=True),
        Column("service", lambda each: dollars(each.service), right=True),
        Column("a month", lambda each: dollars(each.dollars), right=True),
    ],
)


def _show(plan: Plan) -> None:
    _LAYOUTS.show(plan.layouts)
    click.echo()
    show_fields(
        [
            *((each.layout, f"{each.title}; {each.source}") for each in plan.layouts),
            ("measured here", plan.measured),
            ("prices", plan.prices),
        ]
    )
    if plan.volume is not None:
        volume = plan.volume
        heading(f"{volume.stored_gb:f} GB kept, {volume.sent_gb:f} GB sent")
        _STORES.show(plan.stores)
        for store in plan.stores:
            if store.note is not None:
                click.echo(f"{store.title}: {store.note}")
    if plan.strategy:
        heading("The strategy document")
        for claim in plan.strategy:
            _show_claim(claim)


def _show_claim(claim: Claim) -> None:
    """A figure and its price on a line, and below what is wrong with it, whole."""
    said = "is not in it" if claim.said is None else f"{dollars(claim.said)} said"
    listed = "" if claim.listed is None else f"{dollars(claim.listed)} listed"
    click.echo(f"{claim.section:<6}{claim.what:<46}{said:>12}{listed:>15}".rstrip())
    show_text(claim.wrong, _INDENT)

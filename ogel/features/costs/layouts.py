"""The same work in different layouts: what their processes cost before they do anything, and what that differs by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from ogel.features.costs.money import ZERO, apportioned, cents
from ogel.runtime.prices.table import PriceTable

# Of those that people reckon with: a dollar buys 100 of them for a month.
MB_IN_GB = Decimal(1000)
# What one more role (a queue, the scheduler, realtime) adds to a process, unless somebody says otherwise.
ROLE_MB = Decimal(3)


class Process(Struct, frozen=True):
    """memory_mb: resident; cpu: vCPUs on average while there is nothing to do. `source` empty: the suite's."""

    memory_mb: Decimal
    cpu: Decimal
    roles: int = 1
    source: str = ""


class Suite(Struct, frozen=True):
    """`servers`: databases that it needs beside its services, by name."""

    title: str
    servers: Sequence[str]
    source: str
    services: Mapping[str, Process]


class Suites(Struct, frozen=True):
    servers: Mapping[str, Process]
    suites: Mapping[str, Suite]


class Assumptions(Struct, frozen=True):
    """
    What somebody knows better. `memory_per_process_mb`: of every process but the databases, without its roles, of which
    there are several in one process of Ogel; each adds `memory_per_role_mb`.
    """

    memory_per_process_mb: Decimal | None = None
    memory_per_role_mb: Decimal = ROLE_MB
    cpu_per_process: Decimal | None = None


class Measured(Struct, frozen=True):
    """
    What this suite's own services hold, in MB by service. Beyond what they hold idle that is their work, which is the
    same in each layout.
    """

    layout: str
    memory_mb: Mapping[str, Decimal]
    work_mb: Decimal


class LayoutCost(Struct, frozen=True):
    """
    A month of a layout. Dollars are cents that add up.

    services  with its databases.
    saved     by Ogel in one process in its place; less than nothing where that is dearer.
    source    of its memory.
    """

    layout: str
    title: str
    services: int
    memory_mb: Decimal
    cpu: Decimal
    memory_dollars: Decimal
    cpu_dollars: Decimal
    dollars: Decimal
    saved: Decimal
    source: str


@cache
def suites() -> Suites:
    content = (files(__package__) / "suites.json").read_bytes()
    return msgspec.json.decode(content, type=Suites)


def measured(memory_mb: Mapping[str, Decimal]) -> Measured | None:
    """None where the services are those of no layout, or not all of them."""
    for name in ("one", "worker", "queues"):
        services = suites().suites[name].services
        if services.keys() == memory_mb.keys():
            idle = sum((each.memory_mb for each in services.values()), ZERO)
            return Measured(name, memory_mb, sum(memory_mb.values(), ZERO) - idle)
    return None


def compared(
    prices: PriceTable, assumptions: Assumptions | None = None, own: Measured | None = None
) -> list[LayoutCost]:
    """Ogel's layouts, and then other suites, each with the databases that it needs. Idle, where nothing is measured."""
    assumptions = assumptions or Assumptions()
    costs = [_cost(name, suite, prices, assumptions, own) for name, suite in suites().suites.items()]
    in_one = costs[0].dollars
    return [msgspec.structs.replace(cost, saved=cost.dollars - in_one) for cost in costs]


def dollars_of(processes: Sequence[Process], prices: PriceTable) -> tuple[Decimal, Decimal]:
    """Memory and CPU of a month, not rounded."""
    memory = sum((each.memory_mb for each in processes), ZERO) / MB_IN_GB
    cpu = sum((each.cpu for each in processes), ZERO)
    return prices.a_month("memory", memory), prices.a_month("cpu", cpu)


def assumed(process: Process, assumptions: Assumptions) -> Process:
    memory, cpu = process.memory_mb, process.cpu
    if assumptions.memory_per_process_mb is not None:
        memory = assumptions.memory_per_process_mb + process.roles * assumptions.memory_per_role_mb
    if assumptions.cpu_per_process is not None:
        cpu = assumptions.cpu_per_process
    return msgspec.structs.replace(process, memory_mb=memory, cpu=cpu)


def _cost(
    name: str, suite: Suite, prices: PriceTable, assumptions: Assumptions, own: Measured | None
) -> LayoutCost:
    processes = [assumed(each, assumptions) for each in suite.services.values()]
    source = suite.source
    if assumptions.memory_per_process_mb is not None:
        source = "as said"
    elif own is not None and own.layout == name:
        source = "own measurements"
    elif own is not None:
        source += ", with the work of this suite"
    if own is not None and assumptions.memory_per_process_mb is None:
        processes.append(Process(own.work_mb, ZERO))
    everything = [*processes, *(suites().servers[server] for server in suite.servers)]
    memory, cpu = dollars_of(everything, prices)
    total = cents(memory + cpu)
    rounded = apportioned(total, {"memory": memory, "cpu": cpu})
    return LayoutCost(
        name,
        suite.title,
        len(suite.services) + len(suite.servers),
        sum((each.memory_mb for each in everything), ZERO),
        sum((each.cpu for each in everything), ZERO),
        rounded["memory"],
        rounded["cpu"],
        total,
        saved=ZERO,
        source=source,
    )

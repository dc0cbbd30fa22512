"""An environment as Railway tells of it, read side by side; and what the public way to a service has cost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from ogel.features.network.moves.view import SHARED, Variables, View, Written
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import NotFound
from ogel.runtime.prices.table import price_table
from ogel.runtime.railway import Instance, Project, Railway, RailwayError

# Of one service or environment: the others can be told all the same.
_MAY_BE_UNKNOWN = ("forbidden", "not_found", "refused")
# Railway counts requests per second, too.
_AT_ONCE = 4
DAYS = 30


class Egress(Struct, frozen=True):
    """
    What services have sent to the public network in DAYS days, in GB, by id. An upper bound for what passed a proxy: a
    service that answers browsers sends that, too. A service that is missing was not told of.
    """

    gb: Mapping[str, float]
    note: str | None = None

    @property
    def dollars(self) -> float:
        gb = Decimal(str(sum(self.gb.values())))
        return round(float(price_table().a_month("egress", gb)), 2)


async def read_view(railway: Railway, project_id: str, environment_id: str) -> View:
    """Raises RailwayError, NotFound. What a token may not see of one service is a note."""
    project = await railway.project(project_id)
    environment = next((each for each in project.environments if each.id == environment_id), None)
    if environment is None:
        raise NotFound(f"The project {project.name} has no environment {environment_id}.")
    places = asyncio.Semaphore(_AT_ONCE)
    notes: list[str] = []
    instances = await railway.instances(project_id, environment_id)
    by_id = {each.service_id: each for each in instances}
    owners: list[str | None] = [None, *by_id]
    listed = await asyncio.gather(
        *(_variables(railway, project_id, environment_id, each, places) for each in owners)
    )
    variables: dict[str | None, Variables] = {}
    for owner, answer in zip(owners, listed, strict=True):
        if isinstance(answer, RailwayError):
            name = SHARED if owner is None else by_id[owner].name
            notes.append(f"the variables of {name} were not seen: {answer}")
        else:
            variables[owner] = answer
    abroad = await _abroad(railway, project, environment_id)
    return View(project.name, environment.name, by_id, variables, abroad, notes)


async def _variables(
    railway: Railway, project_id: str, environment_id: str, owner: str | None, places: asyncio.Semaphore
) -> Variables | RailwayError:
    try:
        async with places:
            written = await railway.variables(project_id, environment_id, owner, rendered=False)
            rendered = await railway.variables(project_id, environment_id, owner)
    except RailwayError as error:
        if error.cause not in _MAY_BE_UNKNOWN:
            raise
        return error
    # One that was made between the two answers is left for the next plan.
    return {name: Written(value, rendered[name]) for name, value in written.items() if name in rendered}


async def _abroad(railway: Railway, project: Project, environment_id: str) -> Mapping[str, str]:
    """Public addresses of the project's other environments: reasons of what stays depend on them, and no more."""
    found: dict[str, str] = {}
    for environment in project.environments:
        if environment.id == environment_id:
            continue
        try:
            instances = await railway.instances(project.id, environment.id)
        except RailwayError as error:
            if error.cause not in _MAY_BE_UNKNOWN:
                raise
            continue  # the token of a project sees one environment
        found |= dict.fromkeys(_addresses(instances), environment.name)
    return found


def _addresses(instances: Sequence[Instance]) -> list[str]:
    proxies = [f"{proxy.domain.lower()}:{proxy.proxy_port}" for each in instances for proxy in each.proxies]
    return [*proxies, *(domain.lower() for each in instances for domain in each.domains)]


async def read_egress(railway: Railway, environment_id: str, service_ids: Sequence[str]) -> Egress:
    """Never fails: a plan without its price is a plan."""
    if not service_ids:
        return Egress({})
    try:
        series = await railway.metrics(
            environment_id, ["NETWORK_TX_GB"], since=utc_now() - timedelta(days=DAYS)
        )
    except RailwayError as error:
        return Egress({}, f"what it costs now is not known: {error}")
    gb: dict[str, float] = {}
    for each in series:
        owner = each.tags.get("service_id", "")
        values = [point.value for point in each.points if point.value is not None]
        if owner in service_ids and values:
            gb[owner] = gb.get(owner, 0.0) + sum(values)
    missing = len(service_ids) - len(gb)
    note = f"{missing} of {len(service_ids)} servers have no figure of egress" if missing else None
    return Egress(gb, note)
